//! Several providers: `answer.provider` as a list, and the tables that it names.

use super::{only, with, with_file};
use crate::config::{Chosen, Config, Loaded, Problems, Secret};

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "o-key");

/// An entry of the list: its name, kind, address, model and key.
type Entry = (String, &'static str, String, String, Option<String>);

fn entries(config: &Config) -> Vec<Entry> {
    let entry = |chosen: &Chosen<'_>| {
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        let section = chosen.section;
        let key = section.and_then(|s| s.api_key.as_ref()).map(Secret::expose).map(str::to_owned);
        let (url, model) = (section.map(|s| &s.base_url), section.map(|s| &s.model));
        (chosen.name.to_owned(), chosen.kind.name, text(url), text(model), key)
    };
    config.chosen().iter().map(entry).collect()
}

fn by_env(env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    with(&[&[("AI_PROVIDER", "")], env].concat())
}

fn by_file(toml: &str, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    with_file(toml, &[&[("AI_PROVIDER", "")], env].concat())
}

fn shown(loaded: Result<Loaded, Problems>) -> Vec<String> {
    let entries = entries(&loaded.expect("valid").config);
    let line = |(name, kind, url, model, key): Entry| {
        format!("{name} {kind} {url} {model} {}", key.unwrap_or_default())
    };
    entries.into_iter().map(|entry| line(entry).trim_end().to_owned()).collect()
}

const GROQ: &str = "groq openai https://api.groq.com/openai/v1 openai/gpt-oss-120b q-key";

#[test]
fn a_list_of_servers_gives_each_its_own_address_model_and_key() {
    let env = [
        ("KATANA_ANSWER_PROVIDER", "ollama, Groq,google"),
        ("GROQ_API_KEY", "q-key"),
        ("GOOGLE_API_KEY", "g-key"),
        OPENAI,
    ];
    let gemini = "gemini openai https://generativelanguage.googleapis.com/v1beta/openai \
                  gemini-flash-latest g-key";
    let ollama = "ollama openai http://127.0.0.1:11434/v1 llama3.2";
    assert_eq!(shown(by_env(&env)), [ollama, GROQ, gemini]);
    let file = "[answer]\nprovider = [\"ollama\", \"groq\", \"gemini\"]\n";
    assert_eq!(shown(by_file(file, &env[1..])), [ollama, GROQ, gemini]);
    // Settings of one are for this one.
    let more =
        [("KATANA_PROVIDERS_OLLAMA_BASE_URL", "http://gpu:1/v1"), ("AI_MODEL_NAME", "qwen3")];
    let lines = shown(by_env(&[&env[..], &more].concat()));
    assert_eq!(lines, ["ollama openai http://gpu:1/v1 qwen3", GROQ, gemini]);
}

#[test]
fn tables_have_names_of_their_own() {
    let file = "[answer]\nprovider = [\"openai\", \"big\", \"own\", \"claude\", \"offline\"]\n\
                [openai]\nmodel = \"small\"\n\
                [providers.big]\nkind = \"openai\"\nmodel = \"large\"\nparallel = 2\nslow_after_s = 9\n\
                [providers.own]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n\
                [providers.claude]\nkind = \"anthropic\"\n";
    let env = [OPENAI, ("KATANA_PROVIDERS_CLAUDE_API_KEY", "c-key")];
    let loaded = by_file(file, &env).expect("valid");
    let big = &loaded.config.providers["big"];
    assert_eq!((big.parallel, big.slow_after_s, big.requests_per_minute), (2, 9, 0));
    assert_eq!(loaded.origins["providers.big.api_key"].to_string(), "the key of [openai]");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let expected = [
        "openai openai https://api.openai.com/v1 small o-key",
        "big openai https://api.openai.com/v1 large o-key",
        "own openai http://127.0.0.1:9/v1 m",
        "claude anthropic https://api.anthropic.com claude-haiku-4-5 c-key",
        "offline offline",
    ];
    let printed = loaded.print(false);
    assert_eq!(shown(Ok(loaded)), expected);
    assert_eq!(
        shown(by_file(&printed, &env)),
        expected,
        "what is printed is read again: {printed}"
    );
    // The same from the environment alone.
    let env = [
        ("KATANA_ANSWER_PROVIDER", "own,groq"),
        ("KATANA_PROVIDERS_OWN_KIND", "OpenAI"),
        ("KATANA_PROVIDERS_OWN_BASE_URL", "http://127.0.0.1:9/v1/"),
        ("KATANA_PROVIDERS_OWN_MODEL", "m"),
        ("GROQ_API_KEY", "q-key"),
    ];
    let loaded = by_env(&env).expect("valid");
    let printed = loaded.print(false);
    assert_eq!(shown(Ok(loaded)), ["own openai http://127.0.0.1:9/v1 m", GROQ]);
    assert_eq!(shown(by_file(&printed, &env[4..])), shown(by_env(&env)), "{printed}");
}

#[test]
fn a_table_may_be_of_a_known_server() {
    let key = ("GROQ_API_KEY", "q-key");
    let file = "[answer]\nprovider = \"fast\"\n[providers.fast]\nkind = \"groq\"\nmodel = \"m\"\n";
    let line = "fast openai https://api.groq.com/openai/v1 m q-key";
    assert_eq!(shown(by_file(file, &[key])), [line]);
    let file = "[answer]\nprovider = \"groq\"\n[providers.groq]\nmodel = \"m\"\n";
    let line = "groq openai https://api.groq.com/openai/v1 m q-key";
    assert_eq!(shown(by_file(file, &[key])), [line]);
    // By its address.
    let file = "[answer]\nprovider = \"fast\"\n[providers.fast]\nkind = \"openai\"\n\
                base_url = \"https://api.groq.com/openai/v1\"\n";
    assert_eq!(shown(by_file(file, &[key])), [GROQ.replacen("groq", "fast", 1)]);
    // The key of one server reaches no other.
    let own = "[answer]\nprovider = \"a\"\n[providers.a]\nkind = \"openai\"\nmodel = \"m\"\n\
               base_url = \"http://127.0.0.1:9/v1\"\n";
    assert_eq!(shown(by_file(own, &[key, OPENAI])), ["a openai http://127.0.0.1:9/v1 m"]);
}

/// A table that works.
const TABLE: &str =
    "[providers.a]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n";

/// The same under two names.
const BOTH: &str = "[providers.a]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n\
     [providers.b]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\nmodel = \"m\"\n";

/// A list, tables, and what is said about them; `zzz9` stands for what may be a secret.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "[\"openai\", \"grok\"]",
        TABLE,
        "entry 2 of the list is neither a provider nor the name of a table; did you mean groq? There are openai, anthropic, offline, echo, ollama,",
    ),
    (
        "\"zzz9\"",
        TABLE,
        "the value is neither a provider nor the name of a table; There are openai,",
    ),
    ("[\"zzz9\"]", TABLE, "deepseek, a"),
    ("[\"openai\", \"auto\"]", "", "entry 2 of the list is auto, which stands alone; name the"),
    ("[\"gemini\", \"openai\", \"google\"]", "", "entry 3 of the list is there already; name each"),
    (
        "[\"echo\", \"openai\"]",
        "",
        "echo always answers, so what stands after it is never asked; write echo last",
    ),
    (
        "[\"openai\", \"sk-zzz9\"]",
        "",
        "the value has an entry that is not a valid name; write one of",
    ),
    ("[]", "", "the value is empty; write one of auto, openai"),
    ("[\"openai\", 5]", "", "the value has an entry that is not a text; write one of"),
    ("[\"a\", \"b\"]", BOTH, "a and b are the same: one address, model and key; leave one out"),
    ("[\"openai\", \"b\"]", "[providers.b]\nkind = \"openai\"\n", "openai and b are the same"),
    (
        "[\"openai\", \"b\"]",
        "[providers.b]\nmodel = \"m\"\n",
        "providers.b.kind: there is no kind; write what it is",
    ),
    (
        "[\"openai\", \"b\"]",
        "[providers.b]\nkind = \"opnai\"\n",
        "providers.b.kind: the value is not an allowed value; did you mean openai?",
    ),
    (
        "[\"openai\", \"b\"]",
        "[providers.b]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\n",
        "providers.b.model: there is no default model for this server; set providers.b.model",
    ),
    (
        "[\"openai\", \"vllm\"]",
        "",
        "providers.vllm.model: there is no default model for this server; set providers.vllm.model",
    ),
    (
        "[\"openai\", \"mistral\"]",
        "",
        "providers.mistral.api_key: there is no API key, and api.mistral.ai needs one; put it into the systemd credential provider-mistral-api-key, into a file named by KATANA_PROVIDERS_MISTRAL_API_KEY_FILE, or into KATANA_PROVIDERS_MISTRAL_API_KEY or MISTRAL_API_KEY; or choose another",
    ),
    (
        "[\"openai\", \"groq\"]",
        "[providers.groq]\nkind = \"mistral\"\n",
        "providers.groq.kind: the table has the name of another server; leave it out, or write groq or openai",
    ),
    (
        "\"openai\"",
        "[providers.openai]\nmodel = \"m\"\n",
        "providers.openai: this name means something else already; write its keys into [openai]",
    ),
    ("\"openai\"", "[providers.google]\n", "write [providers.gemini]"),
    ("\"openai\"", "[providers.auto]\n", "give the table another name, such as my_auto"),
    ("\"openai\"", "[providers.cache]\n", "give the table another name, such as my_cache"),
    ("\"openai\"", "[providers.echo]\n", "give the table another name, such as my_echo"),
    (
        "\"openai\"",
        "[providers.b]\napi_key = \"zzz9\"\n",
        "a secret in the configuration file; secrets are never read from the file: remove the line and put it into the systemd credential provider-b-api-key,",
    ),
];

#[test]
fn every_mistake_of_a_list_is_said_once_and_the_value_is_not_repeated() {
    let list = |list: &str, more: &str| {
        let file = format!("[answer]\nprovider = {list}\n{more}");
        let problems = by_file(&file, &[OPENAI, ("GROQ_API_KEY", "q"), ("GOOGLE_API_KEY", "g")])
            .expect_err(list)
            .0;
        let line = |p: &crate::config::Problem| {
            let message = match p.message.split_once(" (/") {
                Some((start, _)) => start,
                None => &p.message,
            };
            format!("{}: {message}; {}", p.key, p.hint)
        };
        problems.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    for (written, more, expected) in MISTAKES {
        let problem = list(written, more);
        assert!(problem.contains(expected) && !problem.contains("zzz9"), "{written}: {problem}");
        let lines: Vec<_> = problem.lines().collect();
        assert!(lines.len() == 1 || written.contains("zzz9"), "{written}: {problem}");
    }
    let all =
        list("[\"nothing\", \"openai\", \"openai\", \"b\"]", "[providers.b]\n[providers.cache]\n");
    assert_eq!(all.lines().count(), 4, "{all}");
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warnings = |file: &str, env: &[(&str, &str)]| {
        let loaded = by_file(file, &[&[OPENAI, ("GROQ_API_KEY", "q")], env].concat());
        let warnings = loaded.expect("valid").warnings;
        warnings.iter().map(|p| format!("{}: {}; {}", p.key, p.message, p.hint)).collect::<Vec<_>>()
    };
    let said = warnings("[answer]\nprovider = \"openai\"\n[providers.b]\nmodel = \"m\"\n", &[]);
    let unused = "providers.b: answer.provider does not name this table: it answers nothing; \
                  add b to answer.provider, or remove the table";
    assert_eq!(said, [unused]);
    assert!(warnings("[answer]\nprovider = \"groq\"\n", &[]).is_empty());
    let said = warnings(
        "[answer]\nprovider = [\"ollama\", \"groq\"]\n[openai]\nbase_url = \"http://127.0.0.1:9\"\n",
        &[],
    );
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("openai.base_url: answer.provider does not name openai, so"),
        "{said:?}"
    );
    assert!(
        said[0].ends_with("write it into [providers.ollama] if it is meant for ollama"),
        "{said:?}"
    );
}

#[test]
fn a_key_that_lies_around_chooses_its_server_only_where_nothing_is_chosen() {
    for (variable, server) in [
        ("OPENROUTER_API_KEY", "openrouter.ai"),
        ("GROQ_API_KEY", "api.groq.com"),
        ("MISTRAL_API_KEY", "api.mistral.ai"),
        ("DEEPSEEK_API_KEY", "api.deepseek.com"),
        ("GEMINI_API_KEY", "generativelanguage.googleapis.com"),
    ] {
        let line = shown(by_env(&[(variable, "k")])).concat();
        assert!(line.starts_with("openai openai https://") && line.contains(server), "{line}");
        let vendor = [(variable, "k"), ("ANTHROPIC_API_KEY", "a")];
        assert!(shown(by_env(&vendor)).concat().starts_with("anthropic"));
    }
    let named = [("KATANA_ANSWER_PROVIDER", "openai"), ("DEEPSEEK_API_KEY", "k")];
    assert!(only(by_env(&named)).contains("there is no API key, and api.openai.com needs one"));
}
