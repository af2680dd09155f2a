//! The API over a real socket, and the file behind it.

use component::{Kind, ShutdownTrigger};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use transport::http::ClientSettings;

use super::*;

fn client() -> Client {
    transport::http::client(&ClientSettings::default()).unwrap()
}

struct Fixture {
    folder: TempDir,
    url: String,
    trigger: ShutdownTrigger,
}

impl Fixture {
    async fn start(token: &str, content: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("feedback.jsonl");
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let config =
            Config { file, endpoint: "127.0.0.1:0".to_owned(), token: token.into(), ..Config::default() };
        let mut extension =
            Box::new(LogFeedback::new(config, &Context::detached(Kind::Extension, "log_feedback")));
        extension.start().await.unwrap();
        let address = extension.bound.as_ref().unwrap().0.local_addr().unwrap();
        let trigger = ShutdownTrigger::default();
        tokio::spawn(extension.run(trigger.listener()));
        Self { folder, url: format!("http://{address}{PATH}"), trigger }
    }

    async fn ask(&self, method: Method, query: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = client().request(method, format!("{}{query}", self.url)).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn put(&self, entry: &Value) -> (u16, Value) {
        self.ask(Method::PUT, "", entry.to_string()).await
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("feedback.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn feedback_is_kept_replaced_listed_and_forgotten() {
    let fixture = Fixture::start("", None).await;
    assert_eq!(fixture.ask(Method::GET, "", "").await, (200, json!({"feedback": []})));
    let jam = json!({"template": "paper jam in tray <*>", "add": ["hardware"]});
    let id =
        json!({"template_id": "t1:8e33b48e29c7f0eb917a2f80118d0f74", "add": ["timeout"], "remove": ["dns"]});
    assert_eq!(fixture.put(&jam).await, (201, jam.clone()));
    assert_eq!(fixture.put(&id).await, (201, id.clone()));
    let other = json!({"template": "paper jam in tray <*>", "add": ["restart"]});
    assert_eq!(fixture.put(&other).await, (200, other.clone()));
    assert_eq!(fixture.ask(Method::GET, "", "").await, (200, json!({"feedback": [&other, &id]})));
    assert_eq!(fixture.lines(), [other, id.clone()]);
    let forget = "?template=paper+jam%20in+tray+%3C*%3E";
    assert_eq!(fixture.ask(Method::DELETE, forget, "").await, (200, json!({})));
    assert_eq!(fixture.ask(Method::DELETE, forget, "").await.0, 404);
    assert_eq!(fixture.lines(), [id]);
    let leftovers = std::fs::read_dir(fixture.folder.path()).unwrap().count();
    assert_eq!(leftovers, 1, "only the file itself is left");
    fixture.trigger.trigger();
}

#[tokio::test]
async fn what_is_wrong_is_said_and_changes_nothing() {
    let fixture = Fixture::start("", None).await;
    for (entry, why) in [
        (json!({"template": "a", "add": ["oops"]}), "oops"),
        (json!({"template": "a"}), "`add` or `remove`"),
        (json!({"add": ["dns"]}), "`template_id` or `template`"),
        (json!({"template_id": "7", "add": ["dns"]}), "template_id"),
        (json!({"template": "a", "add": ["dns"], "remove": ["dns"]}), "`dns`"),
        (json!({"template": "a", "ad": ["dns"]}), "ad"),
        (json!(7), "invalid"),
    ] {
        let (status, answer) = fixture.put(&entry).await;
        assert_eq!(status, 400, "{entry}");
        assert!(answer["error"].as_str().unwrap().contains(why), "{entry}: {answer}");
    }
    assert_eq!(fixture.ask(Method::PUT, "", "{").await.0, 400);
    assert_eq!(fixture.ask(Method::PUT, "", vec![b'x'; MAX_BODY + 1]).await.0, 413);
    assert_eq!(fixture.ask(Method::DELETE, "?x=1", "").await.0, 400);
    assert_eq!(fixture.ask(Method::POST, "", "").await.0, 405);
    assert_eq!(fixture.ask(Method::GET, "/more", "").await.0, 404);
    assert!(fixture.lines().is_empty());
    // Somebody else writes the file, and not well.
    std::fs::write(fixture.folder.path().join("feedback.jsonl"), "{\"template\": \"a\"}\noops\n").unwrap();
    let (status, answer) = fixture.put(&json!({"template": "b", "add": ["dns"]})).await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("line 2"), "{answer}");
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let fixture = Fixture::start("letmein", None).await;
    let ask = |token: Option<&str>| {
        let request = client().get(&fixture.url);
        let request = token.map(|token| request.try_clone().unwrap().bearer_auth(token)).unwrap_or(request);
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(ask(None).await, 401);
    assert_eq!(ask(Some("letmeout")).await, 401);
    assert_eq!(ask(Some("letmein")).await, 200);
}

#[tokio::test]
async fn a_file_that_is_not_ours_to_change_is_an_error_at_the_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("feedback.yaml");
    std::fs::write(&file, "# by hand\n- {template: a, add: [dns]}\n").unwrap();
    for file in [file.clone(), folder.path().join("no/such/folder/file")] {
        let config = Config { file: file.clone(), endpoint: "127.0.0.1:0".to_owned(), ..Config::default() };
        let mut extension = LogFeedback::new(config, &Context::detached(Kind::Extension, "log_feedback"));
        let error = extension.start().await.unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }
}

#[test]
fn settings_that_would_let_strangers_in_are_refused() {
    let parse = |json| ::config::Section::from_json("log_feedback", &json).parse::<Config>();
    assert!(parse(json!({})).unwrap_err().to_string().contains("file"));
    assert!(parse(json!({"file": "f"})).is_ok());
    for endpoint in ["localhost:1", "127.0.0.1:1", "[::1]:1"] {
        assert!(parse(json!({"file": "f", "endpoint": endpoint})).is_ok(), "{endpoint}");
    }
    let open = json!({"file": "f", "endpoint": "0.0.0.0:13134"});
    assert!(parse(open).unwrap_err().to_string().contains("token"));
    assert!(parse(json!({"file": "f", "endpoint": "0.0.0.0:13134", "token": "x"})).is_ok());
}
