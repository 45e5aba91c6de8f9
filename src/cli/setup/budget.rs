//! The ceiling of what answers may cost in a month, where a provider costs money.

use super::asked::Asked;
use super::plan::Plan;
use crate::config::find;
use crate::model::money::MicroUsd;
use crate::provider::is_own_address;

/// The ceiling of a month, and that of a day.
const MONTH: &str = "budget.total_usd_per_month";
const DAY: &str = "budget.total_usd_per_day";

/// Adds the answer to the plan. It is asked for only together with a provider that costs money.
pub(super) fn plan(asked: &Asked<'_>, plan: &mut Plan) -> anyhow::Result<()> {
    if let Some(text) = &asked.args.budget_usd_per_month {
        return set(asked, plan, text);
    }
    let of_provider = |key: &str| key == "answer.provider" || key.ends_with(".base_url");
    let is_chosen = plan.keys.iter().any(|(key, _)| of_provider(key));
    // Flags say all that they are to say.
    if !is_chosen || asked.args.provider.is_some() || !asked.person.is_there() {
        return Ok(());
    }
    let config = plan.candidate(asked.target);
    let sections = config.chosen().into_iter().filter_map(|chosen| chosen.section);
    let costs = sections.into_iter().any(|section| !is_own_address(&section.base_url));
    if !costs {
        return Ok(());
    }
    let now =
        config.budget.total_usd_per_month.map_or("any amount".to_owned(), |usd| usd.to_string());
    asked.person.until_right(|| {
        let question = format!(
            "How many US dollars may all answers together cost in a month? (\"off\" for any amount; Enter \
             leaves {now}):"
        );
        match asked.person.line(&question, "--budget-usd-per-month")?.as_str() {
            "" => Ok(()),
            text => set(asked, plan, text),
        }
    })
}

fn set(asked: &Asked<'_>, plan: &mut Plan, text: &str) -> anyhow::Result<()> {
    plan.set(asked.target, MONTH, text)?;
    // A day's ceiling of the default must not hide one that was raised far beyond it.
    let usual = find(DAY).map(|key| key.default_toml()).unwrap_or_default();
    let day = plan.candidate(asked.target).budget.total_usd_per_day;
    let is_usual = day.map(MicroUsd::exact) == Some(usual);
    match MicroUsd::parse(text) {
        Ok(month) if is_usual && day.is_some_and(|day| month.0 / 10 > day.0) => {
            plan.set(asked.target, DAY, &MicroUsd(month.0 / 10).exact())
        }
        _ => Ok(()),
    }
}
