//! Marks of answers, true and not true.

use super::*;

fn passage(source: &str, title: &str, text: &str) -> Passage {
    let (source, title, text) = (source.to_owned(), title.to_owned(), text.to_owned());
    Passage { source, title, text, score: 1.0, ..Passage::default() }
}

fn documents() -> Vec<Passage> {
    vec![
        passage(
            "tower.md",
            "Paint",
            "The keeper paints the tower every spring. He takes 30 litres of \"sea-proof\" white.",
        ),
        passage(
            "harbour.md",
            "Crane",
            "The crane was sold in 1931, because \"no ship ever needed it\".",
        ),
        passage("tower.md", "Lamp", "The lamp is lit at dusk: run `lampctl --on` twice."),
        passage("tower.md", "Paint", "Rust is removed before the tower is painted."),
    ]
}

fn check(text: &str) -> Checked {
    let passages = documents();
    let given =
        Given { question: "How is the tower kept?", before: "", passages: &passages, cited: &[] };
    checked(text, &given)
}

fn names(checked: &Checked) -> Vec<(u32, &str, &str)> {
    checked.cited.iter().map(|p| (p.number, p.source.as_str(), p.title.as_str())).collect()
}

#[test]
fn true_marks_stay_and_are_numbered_in_order() {
    let checked = check(
        "The crane was sold in 1931 [2]. Every spring, the keeper paints the tower [1]; rust is removed before [4].",
    );
    assert_eq!(
        checked.text,
        "The crane was sold in 1931 [1]. Every spring, the keeper paints the tower [2]; rust is removed before [2]."
    );
    assert_eq!(names(&checked), [(1, "harbour.md", "Crane"), (2, "tower.md", "Paint")]);
    assert_eq!((checked.kept, checked.removed), (3, 0));
}

#[test]
fn a_mark_that_is_not_true_is_removed() {
    for (text, wanted) in [
        ("The tower has seven rooms for sailors [1].", "The tower has seven rooms for sailors."),
        ("The keeper paints the tower [7].", "The keeper paints the tower."),
        ("The keeper paints the tower [2] in spring.", "The keeper paints the tower in spring."),
        ("The crane was sold in 1932 [2].", "The crane was sold in 1932."),
        ("The keeper takes 40 litres of white [1].", "The keeper takes 40 litres of white."),
        (
            "It was sold, \"because the ships were too large\" [2].",
            "It was sold, \"because the ships were too large\".",
        ),
        ("The keeper paints the tower [1, 2].", "The keeper paints the tower [1]."),
        ("Hello [1] there", "Hello there"),
    ] {
        assert_eq!(check(text).text, wanted, "{text}");
    }
}

#[test]
fn what_is_quoted_word_for_word_is_true() {
    for text in [
        "It was sold because “no ship ever needed it” [1].",
        "It was sold: \"No ship … needed it\" [1].",
        "It was sold because **\"no ship ever\nneeded it\"** [1].",
    ] {
        let passages = &documents()[1..2];
        let given = Given { question: "Why was the crane sold?", before: "", passages, cited: &[] };
        assert_eq!(checked(text, &given).removed, 0, "{text}");
    }
}

#[test]
fn a_short_answer_is_read_with_its_question() {
    let passages = documents();
    let ask = |question, text| {
        checked(text, &Given { question, before: "", passages: &passages, cited: &[] })
    };
    assert_eq!(ask("Does the keeper paint the tower?", "Yes [1].").text, "Yes [1].");
    assert_eq!(ask("Does the keeper feed the horses?", "Yes [1].").text, "Yes.");
}

#[test]
fn an_answer_in_another_language_is_held_to_numbers_and_names() {
    for (text, wanted) in [
        ("Der Kran wurde im Jahr 1931 verkauft, weil er nicht mehr gebraucht wurde [2].", true),
        ("Der Kran wurde im Jahr 1932 verkauft, weil er nicht mehr gebraucht wurde [2].", false),
        ("Die Lampe wird mit `lampctl --on` angemacht, und zwar in der Dämmerung [3].", true),
        ("Die Lampe wird mit `lampctl --off` ausgemacht, und zwar in der Dämmerung [3].", false),
        ("Башню красят каждую весну [1].", true),
        ("毎年春に塗ります[1]。", true),
    ] {
        let passages = documents();
        let given = Given {
            question: "Wie ist das mit dem Turm und der Lampe?",
            before: "",
            passages: &passages,
            cited: &[],
        };
        assert_eq!(checked(text, &given).kept == 1, wanted, "{text}");
    }
}

#[test]
fn scripts_without_spaces_are_checked_by_their_characters() {
    let passages = [passage("灯台.md", "", "灯台守は毎年春に塔を白く塗ります。")];
    let ask = |text| {
        checked(
            text,
            &Given {
                question: "いつ塗りますか", before: "", passages: &passages, cited: &[]
            },
        )
    };
    assert_eq!(ask("毎年春に塗ります[1]。").kept, 1);
    assert_eq!(ask("船は冬の海へ出ません[1]。").removed, 1);
}

#[test]
fn what_goes_on_keeps_the_numbers_of_what_was_cited_before() {
    let passages = documents();
    let before = "The keeper paints the tower [1]. The crane was ";
    let first = Given { question: "", before: "", passages: &passages, cited: &[] };
    let first = checked(before, &first);
    let given = Given { question: "", before, passages: &passages, cited: &first.cited };
    let checked = checked("sold in 1931 [2]. The tower is painted every spring [1].", &given);
    assert_eq!(checked.text, "sold in 1931 [2]. The tower is painted every spring [1].");
    assert_eq!(names(&checked), [(1, "tower.md", "Paint"), (2, "harbour.md", "Crane")]);
}

#[test]
fn text_without_marks_is_left_alone() {
    let text = "Use `a[1]`, see [the page](https://a.b) and [2024].\n```\nx[2]\n```";
    assert_eq!(check(text), Checked { text: text.to_owned(), ..Checked::default() });
}
