//! What models cost, from the table that is built in.
//!
//! Invariant: a guess is never cheaper than what the table may mean: of several rows that fit, the dearest
//! counts.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::http;
use super::interface::Provider;
use crate::model::money::{MicroUsd, Price, PriceOverride, Rates};

/// Made by tools/prices/prices.py; the first line says when.
const TABLE: &str = include_str!("prices.csv");

/// Hosts of vendors, by how they end, and the name of the vendor in the table.
const HOSTS: [(&str, &str); 13] = [
    ("api.openai.com", "openai"),
    (".openai.azure.com", "openai"),
    ("api.anthropic.com", "anthropic"),
    (".googleapis.com", "google"),
    ("api.mistral.ai", "mistral"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "xai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.moonshot.ai", "moonshot"),
    ("api.cerebras.ai", "cerebras"),
    ("api.together.xyz", "together"),
];

/// What gateways call vendors, where the table has another name.
const OTHER_NAMES: [(&str, &str); 4] =
    [("mistralai", "mistral"), ("x-ai", "xai"), ("moonshotai", "moonshot"), ("gemini", "google")];

/// What a call costs, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Priced {
    /// As the configuration or the table says.
    Known(Price),
    /// Neither knows the model; this is the dearest that its vendor has.
    Dearest(Price),
    /// It is a server of one's own.
    Free,
}

impl Priced {
    /// The price of a million tokens.
    pub fn price(&self) -> Price {
        match self {
            Self::Known(price) | Self::Dearest(price) => price.clone(),
            Self::Free => Price::default(),
        }
    }
}

/// What a model of a provider costs.
pub fn priced(provider: &dyn Provider, model: &str, set: PriceOverride) -> Priced {
    let found = || find(provider.host().unwrap_or_default(), model);
    let is_ours = provider.is_own_server() || provider.host().is_none_or(http::is_near_host);
    if let Some(price) = set.applied(if is_ours { Some(Price::default()) } else { found() })
        && (set.is_set() || !is_ours)
    {
        return Priced::Known(price);
    }
    if is_ours {
        return Priced::Free;
    }
    let dearest = dearest_of(provider.host().unwrap_or_default(), model);
    let price = set.applied(Some(dearest.clone())).unwrap_or(dearest);
    Priced::Dearest(price)
}

/// When the table was made, as `2026-11-29`.
pub fn made_on() -> &'static str {
    TABLE.get(2..12).unwrap_or_default()
}

/// Prices of a vendor's models by name, in which dots are hyphens.
type Models = HashMap<String, Price>;

static VENDORS: LazyLock<HashMap<&str, Models>> = LazyLock::new(|| {
    let mut vendors: HashMap<&str, Models> = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let Some((vendor, model, tier, rates)) = row(line) else { continue };
        let price = vendors.entry(vendor).or_default().entry(normal(model)).or_default();
        match tier {
            0 => price.rates = rates,
            tier => price.tiers.push((tier, rates)),
        }
    }
    vendors
});

/// A line of the table: vendor, model, tier, and what a million tokens cost.
fn row(line: &'static str) -> Option<(&'static str, &'static str, u64, Rates)> {
    let fields: Vec<&str> = line.split(',').collect();
    let [vendor, model, tier, input, cached, write, output, _] = fields[..] else { return None };
    let input = MicroUsd::parse(input).ok()?;
    let or_input =
        |text: &str| if text.is_empty() { Some(input) } else { MicroUsd::parse(text).ok() };
    let rates = Rates {
        input,
        cached_input: or_input(cached)?,
        cache_write: or_input(write)?,
        output: MicroUsd::parse(output).ok()?,
    };
    Some((vendor, model, tier.parse().ok()?, rates))
}

/// A name as it is compared: gateways write `claude-opus-4.5` for `claude-opus-4-5`.
fn normal(model: &str) -> String {
    model.to_ascii_lowercase().replace('.', "-")
}

fn vendor_of(host: &str) -> Option<&'static str> {
    let found = HOSTS.iter().find(|(end, _)| {
        host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || end.starts_with('.'))
    });
    found.map(|(_, vendor)| *vendor)
}

/// The price of a model in the table.
fn find(host: &str, model: &str) -> Option<Price> {
    let mut name = normal(model);
    // A variant of a gateway, such as `:free` or `:thinking`, costs at most what its model costs.
    if vendor_of(host).is_none() {
        name = name.split(':').next().unwrap_or_default().to_owned();
    }
    let name = name.strip_prefix("models/").unwrap_or(&name);
    if let Some(vendor) = vendor_of(host) {
        return in_vendor(vendor, name);
    }
    // A gateway: `vendor/model`, perhaps after its own name.
    let segments: Vec<&str> = name.split('/').collect();
    for (place, segment) in segments.iter().enumerate().rev().skip(1) {
        let named = OTHER_NAMES.iter().find(|(other, _)| other == segment);
        let vendor = named.map_or(*segment, |(_, vendor)| vendor);
        if VENDORS.contains_key(vendor) {
            return in_vendor(vendor, &segments[place + 1..].join("/"));
        }
    }
    let last = segments.last().copied().unwrap_or_default();
    dearest(VENDORS.keys().filter_map(|vendor| in_vendor(vendor, last)))
}

/// A vendor's price for a name, or for the family of a version by date.
fn in_vendor(vendor: &str, name: &str) -> Option<Price> {
    let models = VENDORS.get(vendor)?;
    if let Some(price) = models.get(name) {
        return Some(price.clone());
    }
    let family = family(name);
    if family == name {
        // An alias may mean any of its versions.
        let versions = models.iter().filter(|(other, _)| self::family(other) == name);
        return dearest(versions.map(|(_, price)| price.clone()));
    }
    // A version that is not in the table costs what its family costs; where versions differ, the most.
    let of_family = models.iter().filter(|(other, _)| self::family(other) == family);
    dearest(of_family.map(|(_, price)| price.clone())).or_else(|| in_vendor(vendor, family))
}

/// A name without a version by date, `-latest` or `-preview`.
fn family(name: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((rest, last)) = name.rsplit_once('-') else { return name };
    let is_day = |text: &str| text.len() == 2 && is_number(text);
    if matches!(last, "latest" | "preview") || (is_number(last) && (3..=4).contains(&last.len())) {
        return rest;
    }
    if last.len() == 8 && is_number(last) && last.starts_with("20") {
        return rest;
    }
    // 2026-11-29
    if let Some((rest, month)) = rest.rsplit_once('-')
        && let Some((rest, year)) = rest.rsplit_once('-')
        && is_day(last)
        && is_day(month)
        && year.len() == 4
        && is_number(year)
    {
        return rest;
    }
    name
}

/// The dearest that a vendor has, or anyone where the vendor is unknown.
fn dearest_of(host: &str, model: &str) -> Price {
    let named = model.split('/').rev().skip(1).find_map(|segment| {
        let named = OTHER_NAMES.iter().find(|(other, _)| *other == segment);
        VENDORS.get_key_value(named.map_or(segment, |(_, vendor)| vendor))
    });
    let vendor = vendor_of(host).or(named.map(|(vendor, _)| *vendor));
    let all = VENDORS.iter().filter(|(name, _)| vendor.is_none_or(|vendor| vendor == **name));
    dearest(all.flat_map(|(_, models)| models.values().cloned())).unwrap_or_default()
}

fn dearest(prices: impl Iterator<Item = Price>) -> Option<Price> {
    prices.max_by_key(|price| {
        let top = price.tiers.last().map_or(&price.rates, |(_, rates)| rates);
        (price.rates.output, price.rates.input, top.output)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(host: &str, model: &str) -> Option<i64> {
        find(host, model).map(|price| price.rates.output.0)
    }

    #[test]
    fn the_table_can_be_read_and_is_dated() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
        let unread: Vec<&str> = rows.clone().filter(|line| row(line).is_none()).collect();
        assert!(unread.is_empty(), "{unread:?}");
        assert!((150..400).contains(&rows.count()), "a trimmed table");
        assert!(TABLE.len() < 40_000);
        assert!(made_on().parse::<jiff::civil::Date>().is_ok(), "{}", made_on());
        for models in VENDORS.values() {
            for (name, price) in models {
                let cheapest = price.rates.input.min(price.rates.output);
                assert!(cheapest > MicroUsd::ZERO, "{name} is free");
                assert!(price.tiers.is_sorted_by_key(|(tier, _)| *tier), "{name}");
                assert!(price.rates.cached_input <= price.rates.input, "{name}");
            }
        }
    }

    #[test]
    fn a_model_is_found_by_the_names_that_people_and_gateways_give_it() {
        let openai = "api.openai.com";
        for (host, model, like) in [
            (openai, "gpt-5-2025-08-07", "gpt-5"),
            (openai, "GPT-5", "gpt-5"),
            (openai, "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("openrouter.ai", "openai/gpt-5.1", "gpt-5.1"),
            ("llm.example.com", "openrouter/openai/gpt-5", "gpt-5"),
            ("openrouter.ai", "openai/gpt-5:online", "gpt-5"),
            ("x.openai.azure.com", "gpt-5-mini", "gpt-5-mini"),
            ("llm.example.com", "gpt-5-nano", "gpt-5-nano"),
        ] {
            let expected = output(openai, like);
            assert!(expected.is_some() && output(host, model) == expected, "{host} {model}");
        }
        let claude = output("api.anthropic.com", "claude-opus-4-5-20251101");
        assert_eq!(claude, Some(25_000_000));
        assert_eq!(output("openrouter.ai", "anthropic/claude-opus-4.5"), claude);
        let google = "generativelanguage.googleapis.com";
        assert_eq!(output(google, "models/gemini-2.5-pro"), Some(10_000_000));
        assert!(output("api.groq.com", "openai/gpt-oss-120b").is_some());
    }

    #[test]
    fn no_guess_is_cheaper_than_it_may_be() {
        let openai = "api.openai.com";
        for model in ["gpt-5-something", "gpt", "o", "gpt-5-mini-audio", ""] {
            assert_eq!(output(openai, model), None, "{model}");
        }
        assert_eq!(output("api.mistral.ai", "gpt-5"), None, "another vendor's");
        assert_eq!(output("evil-api.openai.com.example.com", "nonsense"), None);
        // Versions of gpt-4o cost 10 and 15 dollars.
        assert_eq!(output(openai, "gpt-4o-2024-05-13"), Some(15_000_000));
        assert_eq!(output(openai, "gpt-4o-2027-01-01"), Some(15_000_000));
        assert_eq!(output(openai, "gpt-4o"), Some(10_000_000));
        let most = |host, model| dearest_of(host, model).rates.output.0;
        assert_eq!(most(openai, "gpt-99"), 600_000_000);
        assert_eq!(most("openrouter.ai", "anthropic/claude-99"), most("api.anthropic.com", ""));
        assert_eq!(most("llm.example.com", "unheard-of"), 600_000_000, "of any vendor");
    }

    #[test]
    fn a_long_prompt_has_its_own_price() {
        let price = find("generativelanguage.googleapis.com", "gemini-2.5-pro").unwrap();
        assert!(price.rates_at(200_001).input > price.rates_at(200_000).input);
    }

    #[test]
    fn a_server_of_ones_own_costs_nothing_unless_it_is_said() {
        let build = |base_url: &str| {
            let base_url = base_url.to_owned();
            let settings = super::super::ProviderSettings { base_url, ..Default::default() };
            (super::super::find("openai").unwrap().build)(settings).unwrap()
        };
        let set = PriceOverride::default();
        for ours in ["http://localhost:11434/v1", "http://10.0.0.3/v1", "http://vllm:8000/v1"] {
            assert_eq!(priced(&*build(ours), "gpt-5", set), Priced::Free, "{ours}");
        }
        let one = PriceOverride { output: Some(MicroUsd::dollars(1)), ..set };
        let Priced::Known(price) = priced(&*build("http://localhost:4000"), "gpt-5", one) else {
            panic!("it is known")
        };
        assert!(!price.is_free() && price.rates.input.is_zero());
        let theirs = build("https://api.openai.com/v1");
        assert!(matches!(priced(&*theirs, "gpt-5", set), Priced::Known(_)));
        assert!(matches!(priced(&*theirs, "gpt-99", set), Priced::Dearest(_)));
        let both = PriceOverride { input: one.output, ..one };
        assert!(matches!(priced(&*theirs, "gpt-99", both), Priced::Known(_)));
        let echo = (super::super::find("echo").unwrap().build)(Default::default()).unwrap();
        assert_eq!(priced(&*echo, "", set), Priced::Free);
    }
}
