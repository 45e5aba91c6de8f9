//! Money: amounts in whole millionths of a US dollar, and what tokens cost.
//!
//! Invariants: no amount is ever rounded in a provider's disfavour (a cost is rounded up, once, at its
//! end), and none wraps around: an amount that would be too large stays the largest one.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use super::conversation::Usage;

/// Millionths in a dollar.
const DOLLAR: i64 = 1_000_000;

/// An amount of money: millionths of a US dollar. Sums and products saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub i64);

/// Why a text is not an amount; continues a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAmount(pub &'static str);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// More than anyone will ever spend.
    pub const MAX: Self = Self(i64::MAX);

    /// Whole dollars.
    pub const fn dollars(dollars: i64) -> Self {
        Self(dollars.saturating_mul(DOLLAR))
    }

    /// Reads an amount in dollars, such as `5`, `0.075` or `$1.50`.
    ///
    /// # Errors
    /// When it is not a decimal number of at most six decimals between 0 and a thousand million.
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let text = text.trim();
        let text = text.strip_prefix('$').unwrap_or(text);
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if text.starts_with('-') {
            return Err(NotAnAmount("is below zero"));
        }
        if !is_number(whole) || !is_number(decimals) {
            return Err(NotAnAmount("is not a number of dollars"));
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > 6 {
            return Err(NotAnAmount("has more than six decimals"));
        }
        let whole: i64 = whole.trim_start_matches('0').parse().or_else(|_| {
            let is_zero = whole.bytes().all(|b| b == b'0');
            if is_zero { Ok(0) } else { Err(NotAnAmount("is too large")) }
        })?;
        if whole > 1_000_000_000 {
            return Err(NotAnAmount("is too large"));
        }
        let millionths: i64 = format!("{decimals:0<6}").parse().unwrap_or(0);
        Ok(Self(whole * DOLLAR + millionths))
    }

    /// The exact amount in dollars, with at least two decimals: `5.00`, `0.000075`.
    pub fn exact(self) -> String {
        let (sign, amount) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, rest) = (amount / 1_000_000, amount % 1_000_000);
        let decimals = format!("{rest:06}");
        let kept = decimals.trim_end_matches('0').len().max(2);
        format!("{sign}{whole}.{}", &decimals[..kept])
    }

    /// The exact amount as JSON writes a number, and the configuration.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / DOLLAR as f64
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left of it after another amount; never below zero.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

/// For people: cents, and more of small amounts: `$12.30`, `$0.0042`, `$0.000075`.
impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, amount) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        // In units of the last decimal that is shown, rounded to the nearest.
        let (decimals, unit) = match amount {
            1_000_000.. | 0 => (2, 10_000),
            10_000.. => (4, 100),
            _ => (6, 1),
        };
        let rounded = amount.saturating_add(unit / 2) / unit;
        let per_dollar = 1_000_000 / unit;
        let (whole, rest) = (rounded / per_dollar, rounded % per_dollar);
        let rest = format!("{rest:0decimals$}");
        let kept = rest.trim_end_matches('0').len().max(2);
        write!(f, "{sign}${whole}.{}", &rest[..kept])
    }
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MicroUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// What a million tokens of each kind cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of the prompt.
    pub input: MicroUsd,
    /// Of the prompt, as far as it was read from the vendor's cache.
    pub cached_input: MicroUsd,
    /// Of the prompt, as far as it was written to the vendor's cache.
    pub cache_write: MicroUsd,
    /// Of the answer, reasoning included.
    pub output: MicroUsd,
}

/// What a model costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// For prompts of usual length.
    pub rates: Rates,
    /// For prompts of more tokens than that; the shortest first. The whole call costs that much then.
    pub tiers: Vec<(u64, Rates)>,
}

/// What the configuration says about a provider's price; what is not set is as in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceOverride {
    /// A million tokens of the prompt.
    pub input: Option<MicroUsd>,
    /// A million tokens of the prompt that the vendor had in its cache; as `input` where only that is set.
    pub cached_input: Option<MicroUsd>,
    /// A million tokens of the answer.
    pub output: Option<MicroUsd>,
}

impl Price {
    /// A price without tiers, where the cache makes no difference.
    pub fn flat(input: MicroUsd, output: MicroUsd) -> Self {
        let rates = Rates { input, cached_input: input, cache_write: input, output };
        Self { rates, tiers: Vec::new() }
    }

    /// Whether nothing has to be paid.
    pub fn is_free(&self) -> bool {
        self.tiers.iter().map(|(_, rates)| rates).chain([&self.rates]).all(|rates| {
            let Rates { input, cached_input, cache_write, output } = *rates;
            [input, cached_input, cache_write, output].iter().all(|rate| rate.is_zero())
        })
    }

    /// What holds for a prompt of so many tokens.
    pub fn rates_at(&self, input_tokens: u64) -> &Rates {
        let tier = self.tiers.iter().rev().find(|(above, _)| input_tokens > *above);
        tier.map_or(&self.rates, |(_, rates)| rates)
    }

    /// What this usage costs, rounded up.
    pub fn cost(&self, usage: Usage) -> MicroUsd {
        let rates = self.rates_at(usage.input_tokens);
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let fresh = usage.input_tokens - cached - written;
        amount(&[
            (fresh, rates.input),
            (cached, rates.cached_input),
            (written, rates.cache_write),
            (usage.output_tokens, rates.output),
        ])
    }

    /// The most that a call can cost whose prompt has so many tokens: nothing of it is in a cache, or
    /// all of it has to be written to one.
    pub fn worst(&self, input_tokens: u64, output_tokens: u64) -> MicroUsd {
        let rates = self.rates_at(input_tokens);
        let input = rates.input.max(rates.cache_write).max(rates.cached_input);
        amount(&[(input_tokens, input), (output_tokens, rates.output)])
    }

    /// How long an answer may be, in tokens, for a call to cost at most this.
    pub fn affordable(&self, input_tokens: u64, most: MicroUsd) -> u64 {
        let rates = self.rates_at(input_tokens);
        if rates.output.is_zero() {
            return u64::MAX;
        }
        let left = most.less(self.worst(input_tokens, 0));
        let tokens = i128::from(left.0) * i128::from(DOLLAR) / i128::from(rates.output.0);
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

/// So many tokens at so much for a million each, rounded up.
fn amount(parts: &[(u64, MicroUsd)]) -> MicroUsd {
    let all = parts.iter().map(|(tokens, rate)| i128::from(*tokens) * i128::from(rate.0));
    let sum = all.fold(0_i128, i128::saturating_add);
    let rounded = sum.saturating_add(i128::from(DOLLAR) - 1) / i128::from(DOLLAR);
    MicroUsd(i64::try_from(rounded).unwrap_or(i64::MAX))
}

impl PriceOverride {
    /// Whether anything is set.
    pub fn is_set(&self) -> bool {
        self.input.is_some() || self.cached_input.is_some() || self.output.is_some()
    }

    /// The price of the table as this changes it; `None` when neither says what input and output cost.
    pub fn applied(&self, table: Option<Price>) -> Option<Price> {
        if let (Some(input), Some(output)) = (self.input, self.output) {
            // Both together are what is billed, whatever the table has about longer prompts.
            let mut price = Price::flat(input, output);
            price.rates.cached_input = self.cached_input.unwrap_or(input);
            return Some(price);
        }
        let mut price = table?;
        let tiers = price.tiers.iter_mut().map(|(_, rates)| rates);
        for rates in tiers.chain([&mut price.rates]) {
            if let Some(input) = self.input {
                (rates.input, rates.cache_write, rates.cached_input) = (input, input, input);
            }
            rates.cached_input = self.cached_input.unwrap_or(rates.cached_input);
            rates.output = self.output.unwrap_or(rates.output);
        }
        Some(price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for (text, micro, exact, shown) in [
            ("5", 5_000_000, "5.00", "$5.00"),
            ("$1.50", 1_500_000, "1.50", "$1.50"),
            ("0.075", 75_000, "0.075", "$0.075"),
            ("0.000001", 1, "0.000001", "$0.000001"),
            ("0", 0, "0.00", "$0.00"),
            ("000.10", 100_000, "0.10", "$0.10"),
            ("12.345678", 12_345_678, "12.345678", "$12.35"),
            ("0.1234560000", 123_456, "0.123456", "$0.1235"),
            ("1000000000", 1_000_000_000_000_000, "1000000000.00", "$1000000000.00"),
        ] {
            let amount = MicroUsd::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!((amount.0, &*amount.exact(), &*amount.to_string()), (micro, exact, shown));
            assert_eq!(MicroUsd::parse(&amount.exact()), Ok(amount));
        }
        for text in ["", "-1", "1e3", "1,5", "0.0000001", "1.", ".5", "NaN", "1000000001", "5 $"] {
            assert!(MicroUsd::parse(text).is_err(), "{text}");
        }
        assert!(MicroUsd::parse("99999999999999999999").is_err());
        assert_eq!(MicroUsd::MAX + MicroUsd(1), MicroUsd::MAX, "nothing wraps around");
    }

    fn rates(input: i64, cached: i64, write: i64, output: i64) -> Rates {
        let of = MicroUsd;
        Rates {
            input: of(input),
            cached_input: of(cached),
            cache_write: of(write),
            output: of(output),
        }
    }

    fn usage(input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, cached_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn each_kind_of_token_has_its_price_and_the_cost_is_rounded_up() {
        let rates = rates(2_500_000, 1_250_000, 3_000_000, 10_000_000);
        let price = Price { rates, tiers: Vec::new() };
        assert_eq!(price.cost(usage(1_000, 0, 100)), MicroUsd(2_500 + 1_000));
        assert_eq!(price.cost(usage(1_000, 400, 100)), MicroUsd(1_500 + 500 + 1_000));
        let written = Usage { cache_write_tokens: 200, ..usage(1_000, 400, 100) };
        assert_eq!(price.cost(written), MicroUsd(1_000 + 500 + 600 + 1_000));
        assert_eq!(
            price.cost(usage(10, 4_000, 0)),
            MicroUsd(13),
            "no more is cached than was read"
        );
        assert_eq!(price.cost(usage(1, 0, 0)), MicroUsd(3), "2.5 is rounded up");
        assert_eq!(price.cost(usage(u64::MAX, 0, u64::MAX)), MicroUsd::MAX);
        assert_eq!(price.cost(usage(0, 0, 0)), MicroUsd::ZERO);
    }

    #[test]
    fn a_long_prompt_costs_what_long_prompts_cost() {
        let tiers = vec![
            (200_000, rates(2_500_000, 250_000, 0, 15_000_000)),
            (400_000, rates(9_000_000, 900_000, 0, 20_000_000)),
        ];
        let price = Price { rates: rates(1_250_000, 125_000, 0, 10_000_000), tiers };
        assert_eq!(price.cost(usage(200_000, 0, 0)), MicroUsd(250_000));
        assert_eq!(price.cost(usage(200_001, 0, 0)), MicroUsd(500_003), "the whole prompt");
        assert_eq!(price.cost(usage(200_001, 0, 1_000)), MicroUsd(515_003), "and the answer");
        assert_eq!(price.cost(usage(400_001, 400_001, 0)), MicroUsd(360_001), "cached, too");
        assert!(price.worst(200_001, 10) > price.worst(200_000, 10));
    }

    #[test]
    fn the_answer_that_is_affordable_costs_no_more_than_there_is() {
        let price = Price::flat(MicroUsd(3_000_000), MicroUsd(15_000_000));
        let tokens = price.affordable(1_000, MicroUsd(10_000));
        assert_eq!(tokens, 466);
        assert!(price.worst(1_000, tokens) <= MicroUsd(10_000));
        assert!(price.worst(1_000, tokens + 1) > MicroUsd(10_000));
        assert_eq!(price.affordable(1_000, MicroUsd(2_999)), 0);
        assert!(
            Price::default().is_free() && Price::default().affordable(9, MicroUsd(0)) > 1 << 40
        );
    }

    #[test]
    fn the_configuration_wins_over_the_table() {
        let usd = |n| Some(MicroUsd::dollars(n));
        let table = Price {
            rates: rates(1_000_000, 100_000, 1_000_000, 4_000_000),
            tiers: vec![(10, rates(2_000_000, 200_000, 2_000_000, 8_000_000))],
        };
        let both = PriceOverride { input: usd(7), output: usd(9), ..PriceOverride::default() };
        let price = both.applied(Some(table.clone())).unwrap();
        assert_eq!(price, Price::flat(MicroUsd::dollars(7), MicroUsd::dollars(9)));
        assert_eq!(both.applied(None), Some(price));
        let half = PriceOverride { output: usd(9), ..PriceOverride::default() };
        assert_eq!(half.applied(None), None, "the rest is still unknown");
        let price = half.applied(Some(table)).unwrap();
        assert_eq!(price.tiers[0].1, rates(2_000_000, 200_000, 2_000_000, 9_000_000));
        let nothing = PriceOverride { input: usd(0), output: usd(0), ..PriceOverride::default() };
        assert!(nothing.is_set() && nothing.applied(None).unwrap().is_free());
    }
}
