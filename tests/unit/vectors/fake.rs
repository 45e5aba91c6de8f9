//! Qdrant as its documentation has it, for tests: it refuses each field that it does not know, and remembers that it had to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The server, and what it holds.
pub(super) struct FakeQdrant {
    pub(super) url: String,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    key: Option<String>,
    collections: BTreeMap<String, Collection>,
    fail_next: Option<(u16, String)>,
    is_down: bool,
    complaints: Vec<String>,
}

struct Collection {
    size: usize,
    distance: String,
    points: BTreeMap<u64, (Vec<f64>, String)>,
}

type Answer = Result<Value, (u16, String)>;

impl FakeQdrant {
    pub(super) async fn start(key: Option<&str>) -> Self {
        let held = Arc::new(Mutex::new(Held { key: key.map(str::to_owned), ..Held::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the fake works");
        let url = format!("http://{}", listener.local_addr().expect("the fake works"));
        let all = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&all)));
            }
        });
        Self { url, held }
    }

    /// Requests that a real server would have refused.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.held.lock().expect("the fake works").complaints.clone()
    }

    pub(super) fn fail_next(&self, status: u16, reason: &str) {
        self.held.lock().expect("the fake works").fail_next = Some((status, reason.to_owned()));
    }

    /// Refuses everything from now on, or nothing any more.
    pub(super) fn set_down(&self, is_down: bool) {
        self.held.lock().expect("the fake works").is_down = is_down;
    }

    /// The names of the collections.
    pub(super) fn collections(&self) -> Vec<String> {
        self.held.lock().expect("the fake works").collections.keys().cloned().collect()
    }

    pub(super) fn compare_by(&self, collection: &str, distance: &str) {
        let mut held = self.held.lock().expect("the fake works");
        held.collections.get_mut(collection).expect("the fake works").distance =
            distance.to_owned();
    }
}

/// Answers one request and closes.
async fn serve(mut socket: TcpStream, held: Arc<Mutex<Held>>) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = header(head, "content-length")
            .map_or(0, |length| length.parse().expect("the fake works"));
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, body) = match held.lock().expect("the fake works").answer(&head, &body) {
        Ok(result) => (200, json!({ "result": result, "status": "ok", "time": 0.001 })),
        Err((status, error)) => (status, json!({ "status": { "error": error }, "time": 0.001 })),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn wrong(what: impl Into<String>) -> (u16, String) {
    (400, what.into())
}

/// The fields of a request's body: all of `needed`, and none but those and `allowed`.
fn fields(body: &Value, needed: &[&str], allowed: &[&str]) -> Result<(), (u16, String)> {
    let object = body.as_object().ok_or_else(|| wrong("the body is not an object"))?;
    if let Some(missing) = needed.iter().find(|key| !object.contains_key(**key)) {
        return Err(wrong(format!("missing field `{missing}`")));
    }
    let known = |key: &String| needed.contains(&key.as_str()) || allowed.contains(&key.as_str());
    object
        .keys()
        .find(|key| !known(key))
        .map_or(Ok(()), |key| Err(wrong(format!("unknown field `{key}`"))))
}

impl Held {
    fn answer(&mut self, head: &str, body: &str) -> Answer {
        if self.key.as_deref() != header(head, "api-key") && self.key.is_some() {
            return Err((401, "Invalid API key or JWT".to_owned()));
        }
        if self.is_down {
            return Err((500, "Service internal error".to_owned()));
        }
        if let Some((status, reason)) = self.fail_next.take() {
            return Err((status, reason));
        }
        let line = head.lines().next().unwrap_or_default();
        let answer = self.routed(line, body);
        if let Err((400..=499, reason)) = &answer
            && !reason.starts_with("Not found: Collection")
        {
            self.complaints.push(format!("{line}: {reason}"));
        }
        answer
    }

    fn routed(&mut self, line: &str, body: &str) -> Answer {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body = match body {
            "" => Value::Null,
            text => serde_json::from_str(text).map_err(|e| wrong(format!("not JSON: {e}")))?,
        };
        let ["collections", name, rest @ ..] = &path[..] else {
            return Err((404, "no such path".into()));
        };
        let gone = || (404, format!("Not found: Collection `{name}` doesn't exist!"));
        match (method, rest) {
            ("PUT", []) => return self.make(name, &body),
            ("DELETE", []) => {
                let dropped = self.collections.remove(*name).is_some();
                return Ok(json!(dropped));
            }
            _ => {}
        }
        let collection = self.collections.get_mut(*name).ok_or_else(gone)?;
        let is_waited_for = query == "wait=true";
        match (method, rest) {
            ("GET", []) => Ok(collection.shown()),
            ("POST", ["snapshots"]) => Ok(json!({ "name": format!("{name}.snapshot"), "size": 1 })),
            ("PUT", ["index"]) => {
                fields(&body, &["field_name", "field_schema"], &[])?;
                Ok(json!({ "operation_id": 1, "status": "completed" }))
            }
            ("PUT", ["points"]) if is_waited_for => collection.put(&body),
            ("POST", ["points", "delete"]) if is_waited_for => collection.delete(&body),
            ("POST", ["points", "query"]) => collection.query(&body),
            ("POST", ["points", "scroll"]) => collection.scroll(&body),
            ("POST", ["points", "count"]) => {
                fields(&body, &[], &["exact", "filter"])?;
                Ok(json!({ "count": collection.points.len() }))
            }
            _ => Err((404, format!("no such path, or not waited for: {line}"))),
        }
    }

    fn make(&mut self, name: &str, body: &Value) -> Answer {
        fields(body, &["vectors"], &["on_disk_payload", "hnsw_config", "optimizers_config"])?;
        fields(&body["vectors"], &["size", "distance"], &["on_disk"])?;
        let size = body["vectors"]["size"].as_u64().filter(|size| (1..=65536).contains(size));
        let size = size.ok_or_else(|| wrong("size must be between 1 and 65536"))? as usize;
        let distance = body["vectors"]["distance"].as_str().unwrap_or_default().to_owned();
        if !["Cosine", "Euclid", "Dot", "Manhattan"].contains(&distance.as_str()) {
            return Err(wrong("unknown variant of distance"));
        }
        if self.collections.contains_key(name) {
            return Err((409, format!("Wrong input: Collection `{name}` already exists!")));
        }
        self.collections
            .insert(name.to_owned(), Collection { size, distance, points: BTreeMap::new() });
        Ok(json!(true))
    }
}

impl Collection {
    fn shown(&self) -> Value {
        let vectors = json!({ "size": self.size, "distance": self.distance });
        let config = json!({ "params": { "vectors": vectors, "shard_number": 1 } });
        json!({ "status": "green", "points_count": self.points.len(), "config": config })
    }

    fn vector(&self, value: &Value) -> Result<Vec<f64>, (u16, String)> {
        let numbers = value
            .as_array()
            .map(|numbers| numbers.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
        let numbers = numbers.ok_or_else(|| wrong("the vector is not a list of numbers"))?;
        if numbers.len() != self.size {
            let text = format!(
                "Vector dimension error: expected dim: {}, got {}",
                self.size,
                numbers.len()
            );
            return Err(wrong(text));
        }
        Ok(numbers)
    }

    fn put(&mut self, body: &Value) -> Answer {
        fields(body, &["points"], &[])?;
        let mut points = Vec::new();
        for point in body["points"].as_array().ok_or_else(|| wrong("points is not a list"))? {
            fields(point, &["id", "vector"], &["payload"])?;
            let id = point["id"].as_u64().ok_or_else(|| wrong("an id is a positive number"))?;
            let source = point["payload"]["source"].as_str().unwrap_or_default().to_owned();
            points.push((id, (self.vector(&point["vector"])?, source)));
        }
        if points.is_empty() {
            return Err(wrong("no points"));
        }
        self.points.extend(points);
        Ok(json!({ "operation_id": 2, "status": "completed" }))
    }

    fn delete(&mut self, body: &Value) -> Answer {
        fields(body, &["points"], &[])?;
        let ids = body["points"].as_array().ok_or_else(|| wrong("points is not a list"))?;
        for id in ids {
            self.points.remove(&id.as_u64().ok_or_else(|| wrong("an id is a positive number"))?);
        }
        Ok(json!({ "operation_id": 3, "status": "completed" }))
    }

    fn query(&self, body: &Value) -> Answer {
        fields(body, &["query"], &["limit", "filter", "with_payload", "with_vector", "params"])?;
        let wanted = self.vector(&body["query"])?;
        let sources: Option<Vec<&str>> = match &body["filter"] {
            Value::Null => None,
            filter => {
                fields(filter, &["must"], &[])?;
                let must = &filter["must"][0];
                fields(must, &["key", "match"], &[])?;
                fields(&must["match"], &["any"], &[])?;
                assert_eq!(must["key"], "source");
                Some(
                    must["match"]["any"]
                        .as_array()
                        .expect("the fake works")
                        .iter()
                        .filter_map(Value::as_str)
                        .collect(),
                )
            }
        };
        let length = |vector: &[f64]| vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        let score = |vector: &[f64]| {
            vector.iter().zip(&wanted).map(|(a, b)| a * b).sum::<f64>()
                / length(vector)
                / length(&wanted)
        };
        let within =
            |source: &str| sources.as_ref().is_none_or(|sources| sources.contains(&source));
        let mut found: Vec<(u64, f64)> = self
            .points
            .iter()
            .filter(|(_, (_, source))| within(source))
            .map(|(id, (vector, _))| (*id, score(vector)))
            .collect();
        found.sort_by(|one, other| other.1.total_cmp(&one.1));
        found.truncate(body["limit"].as_u64().unwrap_or(10) as usize);
        let points: Vec<Value> = found
            .into_iter()
            .map(|(id, score)| json!({ "id": id, "version": 2, "score": score }))
            .collect();
        Ok(json!({ "points": points }))
    }

    fn scroll(&self, body: &Value) -> Answer {
        fields(body, &[], &["offset", "limit", "filter", "with_payload", "with_vector"])?;
        let (offset, limit) =
            (body["offset"].as_u64().unwrap_or(0), body["limit"].as_u64().unwrap_or(10));
        let mut all = self.points.range(offset..).map(|(id, _)| *id);
        let page: Vec<Value> =
            all.by_ref().take(limit as usize).map(|id| json!({ "id": id })).collect();
        Ok(json!({ "points": page, "next_page_offset": all.next() }))
    }
}
