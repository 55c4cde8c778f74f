//! Charts as SVG: bars for what is compared, lines for what changes along an axis.
//!
//! The surprise: the colours are in the file twice, for a light and for a dark page. An image in a page cannot see the
//! page, but it does see what its reader prefers.

use std::fmt::Write;

use self::axis::Axis;
use crate::table::shown;

mod axis;

/// The width of every chart; text is 12 units high.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
/// Room for the title and the legend.
const TOP: f64 = 64.0;
const BOTTOM: f64 = 46.0;
/// The plot of a line chart.
const HEIGHT: f64 = 280.0;
/// A bar, the space between bars, and the space between groups.
const BAR: f64 = 18.0;
const GAP: f64 = 3.0;
const GROUP: f64 = 14.0;
/// Room for the names of bars.
const NAMES: f64 = 230.0;
/// Colours of the series, told apart also by those who see no red or green (Okabe and Ito 2008), a little darker.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#b8860b", "#9b4f86", "#56758f"];

/// A chart.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) kind: Kind,
    /// What is measured, with its unit.
    pub(crate) measure: String,
    /// Whether each step along the measure is ten times the one before.
    pub(crate) by_tens: bool,
    pub(crate) series: Vec<Series>,
}

/// What stands beside the measure.
pub(crate) enum Kind {
    /// A bar of each series for each of these names.
    Bars(Vec<String>),
    /// The values of each series along these places, with what they are.
    Lines { places: Vec<String>, axis: String },
    /// Points of each series: `x` with its unit, and the measure. The series are lines in the order of `x`.
    Curve { axis: String, x: Vec<Vec<f64>> },
}

/// Values of one kind.
pub(crate) struct Series {
    pub(crate) name: String,
    /// One for each name or place.
    pub(crate) values: Vec<f64>,
}

impl Series {
    pub(crate) fn new(name: &str, values: Vec<f64>) -> Self {
        let name = name.to_owned();
        Self { name, values }
    }
}

impl Chart {
    /// The file.
    pub(crate) fn svg(&self) -> String {
        let all = self.series.iter().flat_map(|series| series.values.iter().copied());
        let axis = Axis::of(all, self.by_tens);
        let (height, plot) = match &self.kind {
            Kind::Bars(names) => self.bars(names, &axis),
            Kind::Lines { places, axis: what } => self.lines(places, what, &axis),
            Kind::Curve { axis: what, x } => self.curve(what, x, &axis),
        };
        let mut text = head(height, &self.title);
        self.legend(&mut text);
        text.push_str(&plot);
        text.push_str("</svg>\n");
        text
    }

    fn legend(&self, text: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        let mut x = LEFT;
        for (index, series) in self.series.iter().enumerate() {
            let colour = colour(index);
            let _ = writeln!(
                text,
                r#"<rect x="{x:.0}" y="38" width="12" height="12" rx="2" fill="{colour}"/>"#
            );
            label(text, x + 17.0, 48.0, "start", &series.name);
            x += 34.0 + 6.6 * crate::statistics::length(series.name.chars().count());
        }
    }

    fn bars(&self, names: &[String], axis: &Axis) -> (f64, String) {
        let mut text = String::new();
        let group = crate::statistics::length(self.series.len()) * (BAR + GAP) + GROUP;
        let bottom = TOP + group * crate::statistics::length(names.len());
        let (left, right) = (NAMES, WIDTH - RIGHT - 50.0);
        let at = |value: f64| left + axis.share(value) * (right - left);
        for tick in axis.ticks() {
            let x = at(tick);
            grid(&mut text, (x, TOP - 6.0), (x, bottom));
            label(&mut text, x, bottom + 16.0, "middle", &shown(tick));
        }
        for (row, name) in names.iter().enumerate() {
            let top = TOP + group * crate::statistics::length(row);
            label(&mut text, left - 8.0, top + (group - GROUP) / 2.0 + 3.0, "end", name);
            for (index, series) in self.series.iter().enumerate() {
                let Some(value) = series.values.get(row) else { continue };
                let (y, colour) = (top + crate::statistics::length(index) * (BAR + GAP), colour(index));
                let width = (at(*value) - left).max(1.0);
                let _ = writeln!(
                    text,
                    r#"<rect x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#
                );
                label(&mut text, left + width + 5.0, y + 13.0, "start", &shown(*value));
            }
        }
        label(
            &mut text,
            f64::midpoint(left, right),
            bottom + 36.0,
            "middle",
            &self.measure,
        );
        (bottom + BOTTOM, text)
    }

    fn lines(&self, places: &[String], what: &str, axis: &Axis) -> (f64, String) {
        let last = crate::statistics::length(places.len().saturating_sub(1)).max(1.0);
        let x = |place: usize| LEFT + 30.0 + (WIDTH - LEFT - RIGHT - 60.0) * crate::statistics::length(place) / last;
        let mut text = self.frame(what, axis);
        for (place, name) in places.iter().enumerate() {
            label(&mut text, x(place), TOP + HEIGHT + 16.0, "middle", name);
        }
        for (index, series) in self.series.iter().enumerate() {
            let points: Vec<_> = series
                .values
                .iter()
                .enumerate()
                .map(|(place, value)| (x(place), *value))
                .collect();
            line(&mut text, &points, axis, index, true);
        }
        (TOP + HEIGHT + BOTTOM, text)
    }

    fn curve(&self, what: &str, x: &[Vec<f64>], axis: &Axis) -> (f64, String) {
        let along = Axis::of(x.iter().flatten().copied(), false);
        let at = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * along.share(value);
        let mut text = self.frame(what, axis);
        for tick in along.ticks() {
            label(&mut text, at(tick), TOP + HEIGHT + 16.0, "middle", &shown(tick));
        }
        for (index, (series, x)) in self.series.iter().zip(x).enumerate() {
            let points: Vec<_> = x
                .iter()
                .zip(&series.values)
                .map(|(x, value)| (at(*x), *value))
                .collect();
            line(&mut text, &points, axis, index, false);
        }
        (TOP + HEIGHT + BOTTOM, text)
    }

    /// The axes of a chart with lines.
    fn frame(&self, what: &str, axis: &Axis) -> String {
        let mut text = String::new();
        for tick in axis.ticks() {
            let y = TOP + HEIGHT * (1.0 - axis.share(tick));
            grid(&mut text, (LEFT, y), (WIDTH - RIGHT, y));
            label(&mut text, LEFT - 8.0, y + 4.0, "end", &shown(tick));
        }
        label(
            &mut text,
            f64::midpoint(LEFT, WIDTH),
            TOP + HEIGHT + 36.0,
            "middle",
            what,
        );
        let (x, y, measure) = (16.0, TOP + HEIGHT / 2.0, escaped(&self.measure));
        let _ = writeln!(
            text,
            r#"<text x="{x}" y="{y:.0}" text-anchor="middle" transform="rotate(-90 {x} {y:.0})">{measure}</text>"#
        );
        text
    }
}

/// What every file begins with.
fn head(height: f64, title: &str) -> String {
    let title = escaped(title);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0} {height:.0}" role="img" aria-label="{title}">
<style>
text {{ font: 12px system-ui, sans-serif; fill: #333; }}
.title {{ font-size: 15px; font-weight: 600; }}
.grid {{ stroke: #8884; }}
.page {{ fill: #fff; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #ddd; }} .page {{ fill: #161b22; }} }}
</style>
<rect class="page" width="100%" height="100%" rx="6"/>
<text class="title" x="16" y="24">{title}</text>
"#
    )
}

fn line(text: &mut String, points: &[(f64, f64)], axis: &Axis, index: usize, is_marked: bool) {
    let colour = colour(index);
    let y = |value: f64| TOP + HEIGHT * (1.0 - axis.share(value));
    let path: Vec<String> = points
        .iter()
        .map(|(x, value)| format!("{x:.1},{:.1}", y(*value)))
        .collect();
    let path = path.join(" ");
    let _ = writeln!(
        text,
        r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#
    );
    for (x, value) in points.iter().filter(|_| is_marked) {
        let y = y(*value);
        let _ = writeln!(text, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#);
        label(text, *x, y - 7.0, "middle", &shown(*value));
    }
}

fn grid(text: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        text,
        r#"<line class="grid" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
    );
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        text,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#
    );
}

fn colour(index: usize) -> &'static str {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or("#888")
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_drawn_inside_the_frame() {
        let series = vec![
            Series::new("a < b", vec![1.0, 1000.0]),
            Series::new("c", vec![0.02, 5.0]),
        ];
        let names = vec!["one".to_owned(), "two & three".to_owned()];
        let kinds = [
            Kind::Bars(names.clone()),
            Kind::Lines {
                places: names,
                axis: "clients".into(),
            },
            Kind::Curve {
                axis: "ms".into(),
                x: vec![vec![0.0, 9.0], vec![1.0, 2.0]],
            },
        ];
        let mut chart = Chart {
            title: "t".into(),
            kind: Kind::Bars(Vec::new()),
            measure: "ms".into(),
            by_tens: true,
            series,
        };
        for kind in kinds {
            chart.kind = kind;
            let svg = chart.svg();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert!(
                svg.contains("a &lt; b") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
            for part in svg.split("cy=\"").skip(1) {
                let y: f64 = part.split('"').next().unwrap().parse().unwrap();
                assert!((TOP..=TOP + HEIGHT).contains(&y), "{y}");
            }
        }
    }
}
