//! The table of all routes of all mounted contracts: which contract answers for a path.
//!
//! The surprise: a path that no route has is still answered in some contract's manner, that of the nearest
//! neighbour: the longest common prefix of segments wins, then the order of mounting.
//!
//! It is made before there are realms, and keeps no contract: what is mounted has them.

use axum::http::Method;
use doorward_core::SetupError;
use matchit::Router;

use super::Mount;
use crate::contract::{Place, numbered};
use crate::own;

/// Every route by path.
pub(super) struct Table {
    paths: Router<usize>,
    entries: Vec<Entry>,
    /// The prefix of each mount and the paths of its real routes, in the order of mounting.
    neighbours: Vec<(usize, String)>,
}

/// The routes of one path.
pub(super) struct Entry {
    methods: Vec<MethodEntry>,
}

struct MethodEntry {
    method: Method,
    mount: usize,
    alias: bool,
    /// Whether none of the routes changes anything.
    safe: bool,
    /// More than one when conditions tell them apart, the conditional ones first.
    candidates: Vec<Candidate>,
}

/// A route of the mount, and the place of the route at which it was found.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) route: usize,
    pub(super) place: usize,
}

/// What a path and method lead to.
pub(super) enum Found<'t> {
    /// Routes of a mount, the first whose conditions hold is meant.
    Routes {
        mount: usize,
        candidates: &'t [Candidate],
        variables: Vec<String>,
        path: &'t Entry,
    },
    /// The path has routes, none with this method.
    WrongMethod { mount: usize, path: &'t Entry },
    /// No route has this path; the mount is the one to say so.
    Nothing { mount: usize },
}

impl Found<'_> {
    pub(super) fn mount(&self) -> usize {
        match self {
            Self::Routes { mount, .. } | Self::WrongMethod { mount, .. } | Self::Nothing { mount } => *mount,
        }
    }

    /// The methods that the path answers (RFC 9110 section 10.2.1), among them HEAD where GET stands in for it.
    pub(super) fn methods(&self) -> Vec<Method> {
        let has_head = self.entries().iter().any(|entry| entry.method == Method::HEAD);
        let with_head = |entry: &MethodEntry| {
            let head = !has_head && is_head_of(&Method::HEAD, entry);
            std::iter::once(entry.method.clone()).chain(head.then_some(Method::HEAD))
        };
        self.entries().iter().flat_map(with_head).collect()
    }

    /// Those that the mount answers for: another one may not let the same pages in.
    pub(super) fn methods_of_mount(&self) -> Vec<Method> {
        let of_mount = self.entries().iter().filter(|entry| entry.mount == self.mount());
        of_mount.map(|entry| entry.method.clone()).collect()
    }

    fn entries(&self) -> &[MethodEntry] {
        match self {
            Self::Routes { path, .. } | Self::WrongMethod { path, .. } => &path.methods,
            Self::Nothing { .. } => &[],
        }
    }
}

impl Table {
    /// The mounts are known by their place in this list.
    pub(super) fn new(mounts: &[&Mount]) -> Result<Self, SetupError> {
        let mut table = Self {
            paths: Router::new(),
            entries: Vec::new(),
            neighbours: neighbours(mounts),
        };
        // Real routes first, so that aliases find out whether they have to yield.
        for alias in [false, true] {
            for (mount, mounted) in mounts.iter().enumerate() {
                for (index, route) in mounted.contract.routes.iter().enumerate() {
                    for (number, place) in route
                        .places
                        .iter()
                        .enumerate()
                        .filter(|(_, place)| place.alias == alias)
                    {
                        let candidate = Candidate {
                            route: index,
                            place: number,
                        };
                        table.add(mounts, mount, candidate, place)?;
                    }
                }
            }
        }
        for entry in table.entries.iter_mut().flat_map(|entry| &mut entry.methods) {
            let Some(mounted) = mounts.get(entry.mount) else {
                continue;
            };
            let route = |of: &Candidate| mounted.contract.routes.get(of.route);
            let is_safe = |of: &Candidate| route(of).is_none_or(|route| route.action.table().safe);
            let is_unconditional = |of: &Candidate| route(of).is_none_or(|route| route.when.is_empty());
            entry.safe = entry.candidates.iter().all(is_safe);
            entry.candidates.sort_by_key(is_unconditional);
        }
        Ok(table)
    }

    fn add(&mut self, mounts: &[&Mount], mount: usize, candidate: Candidate, place: &Place) -> Result<(), SetupError> {
        let Some(mounted) = mounts.get(mount) else {
            return Ok(());
        };
        let path = full_path(&mounted.prefix, &place.path);
        let is_document = |mounted: &&Mount| path == own::document(&mounted.prefix);
        if own::PATHS.iter().any(|own| covers(own, &path)) || mounts.iter().any(is_document) {
            let what = format!(
                "`{path}` of the contract `{}` is the server's own",
                mounted.contract.name
            );
            // Its document is wherever it is mounted.
            let hint = if path == own::document(&mounted.prefix) {
                "choose another path: `/openapi.json` is the document of what is served under each prefix"
            } else {
                "mount the contract under a prefix, as in `--contract NAME@/prefix`"
            };
            return Err(SetupError::new(what, hint));
        }
        let mut paths = vec![path.clone()];
        if mounted.contract.trailing_slash && path != "/" {
            paths.push(format!("{path}/"));
        }
        for path in paths {
            let entry = self.entry(&path)?;
            match entry.methods.iter_mut().find(|known| known.method == place.method) {
                None => entry.methods.push(MethodEntry {
                    method: place.method.clone(),
                    mount,
                    alias: place.alias,
                    // Once all candidates are known.
                    safe: false,
                    candidates: vec![candidate],
                }),
                Some(known) if known.mount == mount => known.candidates.push(candidate),
                Some(_) if place.alias => {}
                Some(known) => {
                    let other = mounts.get(known.mount).map_or("", |other| &other.contract.name);
                    let what = format!(
                        "both `{other}` and `{}` claim `{} {path}`",
                        mounted.contract.name, place.method
                    );
                    let hint = format!(
                        "mount one under a prefix, as in `--contract {}@/prefix`",
                        mounted.contract.name
                    );
                    return Err(SetupError::new(what, hint));
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str) -> Result<&mut Entry, SetupError> {
        let pattern = numbered(path);
        let index = match self.paths.at(&pattern) {
            // A pattern matches itself; a pattern with other literals in place of its variables does not.
            Ok(found) if self.is_same(&pattern, *found.value) => *found.value,
            _ => {
                let index = self.entries.len();
                self.paths.insert(&pattern, index).map_err(|error| {
                    SetupError::new(
                        format!("the route `{path}` cannot be told apart: {error}"),
                        "choose another path",
                    )
                })?;
                self.entries.push(Entry { methods: Vec::new() });
                index
            }
        };
        self.entries
            .get_mut(index)
            .ok_or_else(|| SetupError::new("a route was lost", "report this as a defect"))
    }

    /// Whether the entry was inserted under this very pattern: only then inserting it again is refused.
    fn is_same(&self, pattern: &str, index: usize) -> bool {
        let mut probe = self.paths.clone();
        probe.insert(pattern, index).is_err()
    }

    /// What a request for this method and path leads to; nothing if nothing is mounted.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        if let Ok(found) = self.paths.at(path)
            && let Some(entry) = self.entries.get(*found.value)
            && let Some(first) = entry.methods.first()
        {
            let is_meant = |entry: &&MethodEntry| entry.method == *method || is_head_of(method, entry);
            return Some(match entry.methods.iter().find(is_meant) {
                Some(meant) => Found::Routes {
                    mount: meant.mount,
                    candidates: &meant.candidates,
                    variables: found.params.iter().map(|(_, value)| value.to_owned()).collect(),
                    path: entry,
                },
                // A real route speaks for the path before an alias does.
                None => Found::WrongMethod {
                    mount: entry.methods.iter().find(|entry| !entry.alias).unwrap_or(first).mount,
                    path: entry,
                },
            });
        }
        self.nearest(path).map(|mount| Found::Nothing { mount })
    }

    /// The mount that shares the most leading segments with the path.
    fn nearest(&self, path: &str) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        for (mount, neighbour) in &self.neighbours {
            let shared = shared_segments(neighbour, path);
            if best.is_none_or(|(_, most)| shared > most) {
                best = Some((*mount, shared));
            }
        }
        best.map(|(mount, _)| mount)
    }
}

/// HEAD is answered where GET is, unless GET changes something: a link preview must not log anybody out.
fn is_head_of(method: &Method, entry: &MethodEntry) -> bool {
    *method == Method::HEAD && entry.method == Method::GET && entry.safe
}

/// A place's path under its mount's prefix.
pub(crate) fn full_path(prefix: &str, path: &str) -> String {
    if path == "/" && !prefix.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

/// Whether a route of the server's own answers all that a path of a contract is for. The other way round, as with
/// `/{name}` and `/docs`, only a value of the variable is missing.
fn covers(own: &str, path: &str) -> bool {
    let is_covered = |(own, segment): (&str, &str)| own == segment || own.starts_with('{');
    own.split('/').count() == path.split('/').count() && own.split('/').zip(path.split('/')).all(is_covered)
}

fn neighbours(mounts: &[&Mount]) -> Vec<(usize, String)> {
    let of_mount = |(mount, mounted): (usize, &&Mount)| {
        let places = mounted.contract.routes.iter().flat_map(|route| &route.places);
        let real = places.filter(|place| !place.alias);
        let paths = real.map(|place| full_path(&mounted.prefix, &place.path));
        // A contract without a route is somebody's neighbour as well.
        let all = std::iter::once(mounted.prefix.clone()).chain(paths);
        all.map(|path| (mount, path)).collect::<Vec<_>>()
    };
    mounts.iter().enumerate().flat_map(of_mount).collect()
}

fn shared_segments(a: &str, b: &str) -> usize {
    a.split('/')
        .skip(1)
        .zip(b.split('/').skip(1))
        .take_while(|(a, b)| a == b)
        .count()
}
