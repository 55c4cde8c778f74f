//! Sign-in pages: where a browser is sent that has no token, and the address to which it may be sent back.
//!
//! The surprise: the address is left out rather than told when anything about it is odd. A page that sends people to
//! wherever an address says is a tool for whoever wants their trust.

use axum::http::Uri;
use axum::http::header::HeaderMap;
use doorward_core::SetupError;

use crate::settings::{is_host, origin};

/// The parameter that says where a browser came from.
const RETURN_TO: &str = "return_to";

/// The most bytes of a path that is told; a longer one is no link that somebody follows.
const MAX_PATH: usize = 2048;

/// What can stand in the list of pages.
const HINT: &str = "write scheme, host and path without a `#`, as in `https://app.example.com/sign-in`";

/// Looks at one of [`Settings::sign_in`](crate::Settings::sign_in).
///
/// # Errors
/// With what would be right.
pub fn check_sign_in(url: &str) -> Result<(), &'static str> {
    SignInPage::new(url).map(drop).ok_or(HINT)
}

/// The pages that a proxy may name.
pub(crate) struct SignInPages(Vec<SignInPage>);

/// One of them.
pub(crate) struct SignInPage {
    url: String,
    /// Scheme and host, in lower case.
    origin: String,
}

impl SignInPages {
    /// # Errors
    /// When one of them is no address of a page.
    pub(crate) fn new(urls: &[String]) -> Result<Self, SetupError> {
        let pages = urls.iter().map(|url| {
            let bad = || SetupError::new(format!("sign_in: `{url}` is no address of a page"), HINT);
            SignInPage::new(url).ok_or_else(bad)
        });
        Ok(Self(pages.collect::<Result<_, _>>()?))
    }

    /// The page of this very address.
    pub(crate) fn find(&self, url: &str) -> Option<&SignInPage> {
        self.0.iter().find(|page| page.url == url)
    }
}

impl SignInPage {
    fn new(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        // `Uri` drops what follows a `#`, and takes names and passwords before an `@`.
        let plain = !url.contains('#') && !uri.authority()?.as_str().contains('@');
        let origin = origin(&uri).filter(|_| plain)?.to_ascii_lowercase();
        let url = url.to_owned();
        Some(Self { url, origin })
    }

    /// Whether it is served at this origin.
    pub(super) fn is_at(&self, origin: &str) -> bool {
        self.origin == origin
    }

    /// Its address, with that of the page which somebody wanted.
    pub(super) fn with_return(&self, address: Option<&str>) -> String {
        let Some(address) = address else {
            return self.url.clone();
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(RETURN_TO, address);
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.url, query.finish())
    }
}

/// The address that somebody wanted, as a proxy tells it: its origin, in lower case, and all of it.
pub(super) fn original_address(headers: &HeaderMap) -> Option<(String, String)> {
    let scheme = single(headers, "x-forwarded-proto")?.to_ascii_lowercase();
    let host = single(headers, "x-forwarded-host")?.to_ascii_lowercase();
    let path = single(headers, "x-forwarded-uri")?;
    // Browsers read `\` as `/`, and skip tabs and ends of lines.
    let plain = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(|b| b.is_ascii_graphic());
    if !matches!(&*scheme, "http" | "https") || !is_host(&host) || !plain {
        return None;
    }
    if path.len() > MAX_PATH || path.contains('\\') {
        return None;
    }
    let origin = format!("{scheme}://{host}");
    let address = format!("{origin}{path}");
    Some((origin, address))
}

/// The value of a header that came once and says one thing.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    // In a path a comma is a comma; elsewhere it comes before what another proxy has added.
    value
        .to_str()
        .ok()
        .filter(|text| name == "x-forwarded-uri" || !text.contains(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(proto: &'static str, host: &'static str, uri: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", host),
            ("x-forwarded-uri", uri),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        original_address(&headers).map(|(_, address)| address)
    }

    #[test]
    fn an_odd_address_is_not_told() {
        let good = told("https", "app.example.com", "/a,b?c=d&e=%2f");
        assert_eq!(good.as_deref(), Some("https://app.example.com/a,b?c=d&e=%2f"));
        assert!(told("HTTP", "[::1]:8000", "/").is_some());
        assert!(told("http", "my_app:3000", "/").is_some());
        for (proto, host, uri) in [
            ("ftp", "app.example.com", "/"),
            ("https,http", "app.example.com", "/"),
            ("https", "app.example.com, evil.example", "/"),
            ("https", "app.example.com@evil.example", "/"),
            ("https", "evil.example/app.example.com", "/"),
            ("https", "", "/"),
            ("https", "app.example.com", ""),
            ("https", "app.example.com", "evil"),
            ("https", "app.example.com", "//evil.example/"),
            ("https", "app.example.com", "/\\evil.example/"),
            ("https", "app.example.com", "http://evil.example/"),
            ("https", "app.example.com", "/a b"),
        ] {
            assert_eq!(told(proto, host, uri), None, "{proto} {host} {uri}");
        }
        let mut twice = HeaderMap::new();
        for value in ["/a", "/b"] {
            twice.append("x-forwarded-uri", value.parse().unwrap());
        }
        assert_eq!(single(&twice, "x-forwarded-uri"), None);
    }

    #[test]
    fn a_page_is_at_the_origin_that_browsers_say() {
        let page = SignInPage::new("HTTPS://App.example.com:443/in").unwrap();
        assert!(page.is_at("https://app.example.com"));
        for bad in [
            "ftp://app.example.com/in",
            "https://ann@app.example.com/in",
            "https://app.example.com/in#top",
            "/in",
        ] {
            assert!(SignInPage::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_address_cannot_leave_its_parameter() {
        let page = SignInPage::new("https://Login.example.com/in?lang=de").unwrap();
        assert_eq!(page.origin, "https://login.example.com");
        assert_eq!(
            page.with_return(Some("https://a.example/?x=1&y=#z")),
            "https://Login.example.com/in?lang=de&return_to=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D%23z"
        );
        assert_eq!(page.with_return(None), "https://Login.example.com/in?lang=de");
    }

    #[test]
    fn what_is_no_page_is_refused_at_start() {
        for wrong in [
            "",
            "/sign-in",
            "app.example.com/sign-in",
            "ftp://app.example.com/",
            "javascript:alert(1)",
            "https://ann@app.example.com/",
            "https://app.example.com/#in",
        ] {
            let said = SignInPages::new(&[wrong.to_owned()])
                .err()
                .map(|error| error.to_string());
            assert!(said.is_some_and(|said| said.contains("hint: ")), "{wrong}");
        }
        let pages = SignInPages::new(&["https://app.example.com/in".to_owned()]).unwrap();
        assert!(pages.find("https://app.example.com/in").is_some());
        assert!(pages.find("https://app.example.com/in2").is_none());
    }
}
