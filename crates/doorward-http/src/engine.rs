//! The engine: from a request to an answer, by contract.
//!
//! Find the route, read the body, try the rules, run the action, word the outcome: one function each, the same
//! for every route of every contract. The surprise: actions that change something run in a task of their own,
//! so that a client that hangs up cannot leave one half done. What has not begun when it hangs up is not begun
//! ([`doorward_core::presence`]).

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use doorward_core::action::{Call, Outcome};
use doorward_core::presence::Presence;
use doorward_core::session::Client;
use doorward_core::{Auth, Error};

use crate::contract::Route;
use crate::contract::render::{Filling, WordedFault};
use crate::contract::wide::Wide;
use crate::forward_auth::SignInPages;
use crate::metrics::Metrics;
use crate::operations::PROBES;
use crate::settings::{Network, Settings};

mod answer;
mod body;
mod caught;
mod cookie;
mod field;
mod form;
mod meant;
mod mount;
mod origin;
mod plan;
mod presented;
mod refused;
mod request;
pub(crate) mod strict_json;
mod table;

pub(crate) use answer::add_common_headers;
pub(crate) use body::Bodies;
use meant::{Meant, Unmet};
pub use mount::Mount;
pub(crate) use mount::Mounted;
pub use plan::Plan;
pub(crate) use presented::tokens_of_realm;
pub(crate) use refused::Refused;
pub use request::RequestFacts;
pub(crate) use request::is_from_proxy;
use request::{RequestIds, Unlisted};
pub(crate) use table::full_path;
use table::{Candidate, Found, Table};

/// Serves contracts.
pub(crate) struct Engine {
    pub(crate) auth: Arc<Auth>,
    pub(crate) mounts: Vec<Arc<Mounted>>,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) sign_in: SignInPages,
    pub(crate) proxies: Vec<Network>,
    pub(crate) bodies: Bodies,
    ids: RequestIds,
    unlisted: Unlisted,
    table: Table,
}

/// The answer to a request and what the log says about it.
struct Answered<'e> {
    response: Response<Body>,
    mounted: &'e Mounted,
    action: &'static str,
    outcome: &'static str,
}

impl Engine {
    /// What is known of a request before anything is decided, with a name for it.
    pub(crate) fn facts(&self, request: &Request<Body>) -> RequestFacts {
        RequestFacts::new(request, self.ids.next(), self.settings.secure_cookies)
    }

    /// What is the same for every answer: headers, a count and a line in the log. The names are those of its contract,
    /// its action and its outcome.
    pub(crate) fn finish(
        &self,
        facts: &RequestFacts,
        (contract, action, outcome): (&str, &'static str, &'static str),
        mut response: Response<Body>,
        started: Instant,
    ) -> Response<Body> {
        answer::common_headers(&mut response, &facts.id);
        let took = self.auth.clock().instant().duration_since(started);
        self.metrics.request(contract, action, response.status(), took);
        let RequestFacts { id, method, path, .. } = facts;
        let status = response.status().as_u16();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if PROBES.contains(&action) {
            tracing::debug!(target: "request", id, %method, path, status, contract, action, outcome, micros);
        } else {
            tracing::info!(target: "request", id, %method, path, status, contract, action, outcome, micros);
        }
        response
    }

    async fn answer(&self, facts: &RequestFacts, request: Request<Body>) -> Option<Answered<'_>> {
        let method = origin::wanted_method(&facts.method, request.headers());
        let found = self.table.find(&method, &facts.path)?;
        let mounted = self.mounts.get(found.mount())?;
        let origin = mounted.origins.judge(request.headers(), &facts.method, facts.over_tls);
        let preflight = |methods: &[Method]| Answered {
            response: origin.preflight(methods),
            mounted,
            action: "preflight",
            outcome: "ok",
        };
        let mut answered = match &found {
            Found::Routes { .. } | Found::WrongMethod { .. } if origin.is_preflight => {
                preflight(&found.methods_of_mount())
            }
            // A page that may read answers is to read that nothing is there, and not that it may not ask.
            Found::Nothing { .. } if origin.is_preflight && origin.is_allowed() => preflight(&[method]),
            Found::Routes {
                candidates, variables, ..
            } => {
                self.run_route(facts, mounted, (candidates, variables), &origin, request)
                    .await
            }
            Found::WrongMethod { .. } => {
                let mut answered = self.refuse(facts, mounted, None, &Wide::MethodNotAllowed.into(), request.headers());
                if answered.response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    answer::allow(&mut answered.response, &found.methods());
                }
                answered
            }
            Found::Nothing { .. } => self.refuse(facts, mounted, None, &Wide::NotFound.into(), request.headers()),
        };
        origin.decorate(&mut answered.response);
        Some(answered)
    }

    async fn run_route<'e>(
        &'e self,
        facts: &RequestFacts,
        mounted: &'e Arc<Mounted>,
        asked: (&[Candidate], &[String]),
        origin: &origin::Judged,
        request: Request<Body>,
    ) -> Answered<'e> {
        let (parts, stream) = request.into_parts();
        let read = meant::read(self, &mounted.contract, asked, origin.is_foreign, (&parts, stream));
        let Meant { route, inputs } = match read.await {
            Ok(meant) => meant,
            Err(Unmet::Refused(route, refused)) => return self.refuse(facts, mounted, route, &refused, &parts.headers),
            Err(Unmet::Invalid(route, faults)) => {
                let invalid = Outcome::invalid(Vec::new());
                return self.outcome(facts, mounted, route, &parts.headers, &invalid, &faults);
            }
        };
        let action = route.action.table();
        let cookies = action.safe || !origin.is_foreign;
        let presented = presented::tokens(&mounted.contract, &parts.headers, cookies && action.token, action.token);
        let client = request::client(&parts, &self.proxies);
        self.unlisted.notice(&parts, &self.proxies);
        match self
            .run_action(Arc::clone(mounted), route, presented, inputs, client)
            .await
        {
            Ok(outcome) => {
                let faults = field::worded(&outcome.carried.faults, route, &mounted.contract);
                self.outcome(facts, mounted, route, &parts.headers, &outcome, &faults)
            }
            Err(error) => self.failed(facts, mounted, route, &parts.headers, &error),
        }
    }

    async fn run_action(
        &self,
        mounted: Arc<Mounted>,
        route: &Route,
        presented: doorward_core::token::Presented,
        inputs: doorward_core::action::Inputs,
        client: Client,
    ) -> Result<Outcome, Error> {
        let (auth, action) = (Arc::clone(&self.auth), route.action);
        let (wants_token, reauthenticate) = (route.wants_token(&mounted.switches), route.reauthenticate);
        let is_safe = action.table().safe;
        let (_waits, presence) = if is_safe {
            // It ends with its caller.
            (None, Presence::ALWAYS)
        } else {
            let (waits, presence) = Presence::of_one_who_waits();
            (Some(waits), presence)
        };
        let run = async move {
            let call = Call {
                realm: &mounted.realm,
                grant: &mounted.grant,
                wants_token,
                reauthenticate,
                presented,
                inputs,
                client,
                presence,
            };
            action.run(&auth, call).await
        };
        if is_safe {
            return caught::caught(run).await;
        }
        let running = match &self.settings.password_runtime {
            Some(runtime) if action.table().takes_password() => runtime.spawn(run),
            _ => tokio::spawn(run),
        };
        running.await.unwrap_or_else(|panic| Err(Error::internal(panic)))
    }

    /// Words an outcome.
    fn outcome<'e>(
        &self,
        facts: &RequestFacts,
        mounted: &'e Mounted,
        route: &Route,
        headers: &HeaderMap,
        outcome: &Outcome,
        faults: &[WordedFault],
    ) -> Answered<'e> {
        let filling = Filling {
            request: Some(facts),
            carried: Some(&outcome.carried),
            faults,
            ..Filling::default()
        };
        let Some(answer) = route.answer(outcome.kind, &mounted.switches) else {
            let error = Error::internal(format!("no answer for {:?}", outcome.kind));
            return self.failed(facts, mounted, route, headers, &error);
        };
        Answered {
            response: answer::build(answer, None, &filling, mounted, headers),
            mounted,
            action: route.action.table().name,
            outcome: outcome.kind.name(),
        }
    }

    /// Words an error. Its cause is logged here, once, and never shown.
    fn failed<'e>(
        &self,
        facts: &RequestFacts,
        mounted: &'e Mounted,
        route: &Route,
        headers: &HeaderMap,
        error: &Error,
    ) -> Answered<'e> {
        match error {
            Error::Throttled { .. } | Error::Busy { .. } => {}
            _ => tracing::error!(id = facts.id, %error, "a request failed"),
        }
        let mut answered = self.refuse(facts, mounted, Some(route), &error.into(), headers);
        answered.action = route.action.table().name;
        answered
    }

    /// A contract-wide answer, in the route's own words if it has some.
    fn refuse<'e>(
        &self,
        facts: &RequestFacts,
        mounted: &'e Mounted,
        route: Option<&Route>,
        refused: &Refused,
        headers: &HeaderMap,
    ) -> Answered<'e> {
        let wide = refused.wide;
        let own = route
            .and_then(|route| route.wide.iter().find(|(is, _)| *is == wide))
            .map(|(_, answer)| answer);
        let answer = own.or_else(|| mounted.contract.answers.find(wide));
        let (_, name, status, _) = wide.row();
        let status = answer.and_then(|answer| answer.status).unwrap_or(*status);
        let filling = Filling {
            request: Some(facts),
            problem: Some((wide, status, refused.reason())),
            retry_after: refused.retry_after(),
            ..Filling::default()
        };
        let mut response = match answer {
            Some(answer) => answer::build(answer, Some(status), &filling, mounted, headers),
            None => answer::bare(status),
        };
        refused.decorate(&mut response);
        Answered {
            response,
            mounted,
            action: "none",
            outcome: name,
        }
    }
}

/// The one handler.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    let Some(answered) = engine.answer(&facts, request).await else {
        // Nothing is mounted at all.
        return answer::bare(StatusCode::NOT_FOUND);
    };
    let names = (
        answered.mounted.contract.name.as_str(),
        answered.action,
        answered.outcome,
    );
    engine.finish(&facts, names, answered.response, started)
}
