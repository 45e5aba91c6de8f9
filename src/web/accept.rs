//! Content negotiation: which of our formats the client prefers (RFC 9110, section 12.5.1).

/// The one of `offered` that an `Accept` header likes best; the first when it likes several
/// equally well, likes none, or is not there.
pub(super) fn best<'a>(accept: Option<&str>, offered: &[&'a str]) -> &'a str {
    let accept = accept.unwrap_or("*/*");
    let mut best = (offered[0], 0.0);
    for form in offered {
        let quality = quality(accept, form);
        if quality > best.1 {
            best = (form, quality);
        }
    }
    best.0
}

/// How much a form is liked, from 0 to 1: the most exact range that covers it decides.
fn quality(accept: &str, form: &str) -> f64 {
    let kind = form.split('/').next().unwrap_or_default();
    let mut found = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let exactness = if name == form {
            3
        } else if name.strip_suffix("/*") == Some(kind) {
            2
        } else if name == "*/*" {
            1
        } else {
            continue;
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse::<f64>().ok());
        let weight = weight.filter(|w| w.is_finite()).unwrap_or(1.0).clamp(0.0, 1.0);
        if exactness > found.0 {
            found = (exactness, weight);
        }
    }
    found.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_form_is_chosen() {
        const FORMS: &[&str] = &["application/json", "text/html"];
        for (accept, wanted) in [
            (None, "application/json"),
            (Some("*/*"), "application/json"),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "text/html"),
            (Some("text/*"), "text/html"),
            (Some("text/html;q=0.5, application/json;q=0.6"), "application/json"),
            (Some("TEXT/HTML"), "text/html"),
            (Some("application/json;q=0, */*"), "text/html"),
            (Some("image/png"), "application/json"),
            (Some("text/html;q=nonsense,,;;"), "text/html"),
        ] {
            assert_eq!(best(accept, FORMS), wanted, "{accept:?}");
        }
        // What Prometheus 2 sends.
        let scraper = "application/openmetrics-text;version=1.0.0,\
                       application/openmetrics-text;version=0.0.1;q=0.75,\
                       text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(best(Some(scraper), &["text/plain", "application/json"]), "text/plain");
    }
}
