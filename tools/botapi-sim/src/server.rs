//! The HTTP side: connections, routing, and the order in which holds, faults and effects meet a request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::faults::{Class, Fault};
use crate::hold::{HoldAt, HoldPoint};
use crate::methods;
use crate::params::Params;
use crate::refusal::{Outcome, Refusal, render};
use crate::sim::Inner;

/// A whole body, or one that comes in pieces and may break off.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, io::Error>>;
/// An answer, or a connection that closes without one.
pub(crate) type Answer = Result<Response<Body>, io::Error>;

/// Larger requests are refused (Telegram takes files of 50 MB; nothing here needs them).
const MAX_BODY: usize = 16 << 20;

/// Takes connections until the simulator stops.
pub(crate) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = inner.stop.cancelled() => return,
        };
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors or a connection that died in the backlog: neither is final.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let _ = socket.set_nodelay(true);
        let shared = Arc::clone(&inner);
        inner.tasks.spawn(async move {
            let stop = shared.stop.clone();
            let service = service_fn(move |request| route(Arc::clone(&shared), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(socket), service);
            tokio::select! {
                // A closed or broken connection is the client's affair, and sometimes our fault on purpose.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn route(inner: Arc<Inner>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if path.starts_with("/bot") {
        bot(&inner, request).await
    } else if path.starts_with("/v1/") || path == "/props" {
        let (parts, body) = request.into_parts();
        let body = whole(body).await?;
        crate::model::answer(&inner.model, &parts, &body).await
    } else if path.starts_with("/control/") && inner.control {
        let (parts, body) = request.into_parts();
        let body = whole(body).await?;
        Ok(crate::control::answer(&inner, &parts, &body))
    } else if let Some(file) = path.strip_prefix("/file/bot") {
        Ok(download(&inner, file))
    } else {
        Ok(outcome(&Err(Refusal::not_found())))
    }
}

async fn whole(body: Incoming) -> io::Result<Bytes> {
    Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(io::Error::other)
}

fn download(inner: &Inner, path: &str) -> Response<Body> {
    let (token, path) = path.split_once('/').unwrap_or((path, ""));
    let id = path.strip_prefix("files/").unwrap_or("");
    if !is_token(inner, token) {
        return outcome(&Err(Refusal::unauthorized()));
    }
    match inner.lock().files.get(id) {
        Some(bytes) => respond(200, "application/octet-stream", bytes.clone()),
        None => outcome(&Err(Refusal::not_found())),
    }
}

/// Whether this is the token that is good now.
fn is_token(inner: &Inner, token: &str) -> bool {
    token == inner.lock().reissued.as_deref().unwrap_or(&inner.token)
}

/// Splits `/bot<token>/<method>` and judges the token. Gives the number of the
/// token, too: another one may be issued while the rest of the request arrives.
fn method_of(inner: &Inner, path: &str) -> Result<(&'static str, u64), Refusal> {
    let (token, method) = path
        .strip_prefix("/bot")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(Refusal::not_found)?;
    let issued = inner.lock().issued;
    let same = is_token(inner, token)
        || (token.contains('%') && is_token(inner, &token.replacen("%3A", ":", 1)));
    if !same {
        let well_formed = token.split_once(':').is_some_and(|(id, secret)| {
            !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) && secret.len() >= 24
        });
        return Err(if well_formed { Refusal::unauthorized() } else { Refusal::not_found() });
    }
    Ok((methods::known(method).ok_or_else(Refusal::not_found)?, issued))
}

async fn bot(inner: &Arc<Inner>, request: Request<Incoming>) -> Answer {
    let (method, issued) = match method_of(inner, request.uri().path()) {
        Ok(named) => named,
        Err(refusal) => return Ok(outcome(&Err(refusal))),
    };
    let received = Instant::now();
    let (parts, body) = request.into_parts();
    let content_type =
        parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let body = whole(body).await?;
    let params = match Params::read(parts.uri.query(), content_type, body).await {
        Ok(params) => params,
        Err(refusal) => return Ok(outcome(&Err(refusal))),
    };
    let plan = {
        let mut state = inner.lock();
        if state.issued != issued {
            return Ok(outcome(&Err(Refusal::unauthorized())));
        }
        *state.calls.entry(method).or_default() += 1;
        let plan = plan(&mut state, method, &params);
        if plan.is_plain() && method != "getUpdates" {
            let done = methods::carry_out(&mut state, method, &params, received);
            let (status, body) = render(&done);
            state.record(method, Value::Object(params.map), status);
            drop(state);
            after(inner, method);
            return Ok(respond(status, "application/json", body));
        }
        plan
    };
    inner.changed.notify_waiters();
    careful(inner, (method, issued), params, plan, received).await
}

/// What will happen to a request besides its effect.
struct Plan {
    fault: Option<Fault>,
    before: Vec<Arc<HoldPoint>>,
    after: Vec<Arc<HoldPoint>>,
    delay: Duration,
}

impl Plan {
    fn is_plain(&self) -> bool {
        self.fault.is_none() && self.before.is_empty() && self.after.is_empty()
    }
}

fn plan(state: &mut crate::state::State, method: &str, params: &Params) -> Plan {
    let single = state
        .next_faults
        .iter()
        .position(|(name, _)| name == method)
        .and_then(|place| state.next_faults.remove(place))
        .map(|(_, fault)| fault);
    // The dice are thrown in any case, so that a single shot does not shift what comes later.
    let thrown = state.faults.throw(Class::of(method), &mut state.rng);
    let fault = single.or(thrown);
    let delay = match &fault {
        Some(Fault::DelayBefore(range) | Fault::DelayAfter(range)) => {
            let span = range.end.saturating_sub(range.start);
            range.start + span.mul_f64(state.rng.f64())
        }
        _ => Duration::ZERO,
    };
    let chat_id = params.number("chat_id");
    let at = |at: HoldAt| {
        let matching = state
            .holds
            .iter()
            .filter(|point| !point.is_released() && point.matches(at, method, chat_id));
        matching.cloned().collect()
    };
    Plan { before: at(HoldAt::BeforeEffect), after: at(HoldAt::AfterEffect), fault, delay }
}

/// A request that meets holds or faults, or that may wait.
async fn careful(
    inner: &Arc<Inner>,
    (method, issued): (&'static str, u64),
    params: Params,
    plan: Plan,
    received: Instant,
) -> Answer {
    for point in plan.before {
        point.wait().await;
    }
    if matches!(plan.fault, Some(Fault::DelayBefore(_))) {
        tokio::time::sleep(plan.delay).await;
    }
    let carried_out = plan.fault.as_ref().is_none_or(Fault::has_effect);
    let done = match &plan.fault {
        _ if carried_out && method == "getUpdates" => {
            methods::poll::get_updates(inner, &params, issued).await
        }
        _ if carried_out => {
            let mut state = inner.lock();
            methods::carry_out(&mut state, method, &params, received)
        }
        Some(Fault::TooManyRequests(seconds)) => Err(Refusal::too_many(*seconds)),
        Some(Fault::BadGateway) => Err(Refusal::new(502, "Bad Gateway")),
        _ => Err(Refusal::new(500, "Internal Server Error: restart")),
    };
    let (status, body) = render(&done);
    let seen = match &plan.fault {
        Some(Fault::Reset | Fault::AnswerLost | Fault::AnswerCut) => 0,
        Some(Fault::BlackHole | Fault::BlackHoleAfterEffect) => 0,
        _ => status,
    };
    inner.lock().record(method, Value::Object(params.map), seen);
    after(inner, method);
    for point in plan.after {
        point.wait().await;
    }
    match plan.fault {
        Some(Fault::DelayAfter(_)) => tokio::time::sleep(plan.delay).await,
        Some(Fault::BadGateway) => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body>\
                 <center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>";
            return Ok(respond(502, "text/html", Bytes::from_static(page.as_bytes())));
        }
        Some(Fault::Reset | Fault::AnswerLost) => {
            return Err(io::Error::other("closed on purpose"));
        }
        Some(Fault::BlackHole | Fault::BlackHoleAfterEffect) => {
            tokio::time::sleep(inner.black_hole).await;
            return Err(io::Error::other("black hole"));
        }
        Some(Fault::AnswerCut) => return Ok(cut(status, &body)),
        _ => {}
    }
    Ok(respond(status, "application/json", body))
}

/// Wakes everyone who may care about the effect of a method.
fn after(inner: &Inner, method: &str) {
    inner.changed.notify_waiters();
    if method == "setWebhook" || method == "deleteWebhook" {
        inner.polled.notify_waiters();
    }
}

/// The answer of a method as HTTP.
pub(crate) fn outcome(outcome: &Outcome) -> Response<Body> {
    let (status, body) = render(outcome);
    respond(status, "application/json", body)
}

/// A whole answer.
pub(crate) fn respond(status: u16, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer that promises its whole length and breaks off in the middle.
fn cut(status: u16, body: &Bytes) -> Response<Body> {
    let half = body.slice(..body.len() / 2);
    let pieces = stream::iter([Some(half), None]).then(|piece| async {
        match piece {
            Some(half) => Ok(Frame::data(half)),
            None => {
                tokio::task::yield_now().await; // lets the first half leave before the end
                Err(io::Error::other("cut on purpose"))
            }
        }
    });
    let mut response = respond(status, "application/json", Bytes::new());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Either::Right(StreamBody::new(pieces).boxed_unsync());
    response
}
