//! Thoughts in the text, as models write them, in pieces of every size.

use super::*;

/// The answer, what was seen of it at any moment, and the thoughts.
fn read(thoughts: &mut Thoughts, text: &str, size: usize) -> (String, Vec<String>, String) {
    let (mut answer, mut seen, mut thought) = (String::new(), Vec::new(), String::new());
    let mut take = |events: Vec<Event>| {
        for event in events {
            match event {
                Event::Text(more) => answer.push_str(&more),
                Event::Reasoning(more) => thought.push_str(&more),
                Event::Withdrawn => answer.clear(),
                other => panic!("{other:?}"),
            }
            seen.push(answer.clone());
        }
    };
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(size) {
        let mut events = Vec::new();
        thoughts.push(&piece.iter().collect::<String>(), &mut events);
        take(events);
    }
    let mut events = Vec::new();
    thoughts.finish(&mut events);
    take(events);
    (answer, seen, thought)
}

fn answer(text: &str) -> String {
    let whole = read(&mut Thoughts::new(EatenMarks::default()), text, usize::MAX).0;
    for size in [1, 2, 3, 7, 16] {
        let pieces = read(&mut Thoughts::new(EatenMarks::default()), text, size).0;
        assert_eq!(pieces, whole, "in pieces of {size}: {text:?}");
    }
    whole
}

#[test]
fn thoughts_are_not_part_of_the_answer() {
    for (text, expected) in [
        ("<think>\nhm\n</think>\n\nYes.", "Yes."),
        (" \n<think>hm</think>Yes.", "Yes."),
        ("<THINK>hm</Think>Yes.", "Yes."),
        ("<think></think>\n\nYes.", "Yes."),
        ("<thinking>\nhm\n</thinking>\nYes.", "Yes."),
        ("[THINK]hm[/THINK]Yes.", "Yes."),
        ("◁think▷hm◁/think▷Yes.", "Yes."),
        ("<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>Yes.", "Yes."),
        ("Okay, they ask.\nSo yes.\n</think>\n\nYes.", "Yes."),
        ("Okay, so yes.</think>\n\nYes.", "Yes."),
        ("Okay, so yes. </think>\n\nYes.", "Yes."),
        ("Okay, so yes.</think>Yes.", "Yes."),
        ("</think>\n\nYes.", "Yes."),
        ("</think>Yes.", "Yes."),
        ("<think>hm\nand on and on", ""),
        ("<think>", ""),
        ("hm hm\n</think>", ""),
        ("The tag at the end is </think>", "The tag at the end is </think>"),
        ("<think>a</think>\nb\n</think>\n\nYes.", "Yes."),
        ("<think>a</think>\n</think>\nYes.", "Yes."),
        ("a\n</think>\nb\n</think>\nYes.", "Yes."),
        ("<think>a</think>\nYes.\n</think>", "Yes."),
        ("<think>a</think>\nYes.\n<think>\nmore\n</think>\nAnd no.", "Yes.\nAnd no."),
        ("<think>the mark `</think>` ends it\n</think>\nYes.", "Yes."),
    ] {
        assert_eq!(answer(text), expected, "{text:?}");
    }
}

#[test]
fn an_answer_that_mentions_the_marks_keeps_them() {
    for text in [
        "Models write <think> before and </think> after their thoughts.",
        "Models write `<think>` before and `</think>` after it.",
        "`</think>` closes it.\nThat is all.",
        "<think> is a tag that models use.",
        "A model ends its thoughts with </think>\n\nAfter that its answer begins.",
        "First. The mark is called </think>\n\nThen there is <think>, which opens.",
        "Like this:\n\n```xml\n<think>\nhm\n</think>\nYes.\n```\n\nThat is all.",
        "~~~\n</think>\n~~~\nDone.",
        "The pair is <think>…</think>, in angle brackets.",
        "It ends with \"</think>\", and with nothing else.",
        "It is (</think>) here.",
        "I think a < b, and </thi is half a tag.",
        "a <",
        "",
        "  Yes.",
    ] {
        assert_eq!(answer(text), text, "{text:?}");
    }
}

#[test]
fn what_a_model_does_once_is_expected_from_then_on() {
    let marks = EatenMarks::default();
    let orphan = "secret thought\nmore of it\n</think>\n\nYes, and more of it.";
    let first = read(&mut Thoughts::new(marks.of("m")), orphan, 4);
    assert_eq!(first.0, "Yes, and more of it.");
    assert!(first.1.iter().any(|seen| seen.contains("secret")), "nothing shows it beforehand");
    let second = read(&mut Thoughts::new(marks.of("m")), orphan, 4);
    assert_eq!(second.0, "Yes, and more of it.");
    assert!(second.1.iter().all(|seen| !seen.contains("secret")), "{:?}", second.1);
    assert!(
        second.1.contains(&"Yes, and mor".to_owned()),
        "the answer grows again: {:?}",
        second.1
    );
    let plain = read(&mut Thoughts::new(marks.of("m")), "No marks at all.", 4);
    assert_eq!(plain.0, "No marks at all.", "an answer without thoughts is one");
    let third = read(&mut Thoughts::new(marks.of("m")), "No marks at all.", 4);
    assert!(third.1.len() > 2, "and is shown while it grows the next time: {:?}", third.1);
    let named = read(&mut Thoughts::new(marks.of("x-non-reasoning")), "No marks at all.", 4);
    assert!(named.1.len() > 2, "{:?}", named.1);
    let by_name = read(&mut Thoughts::new(marks.of("DeepSeek-R1:7b")), orphan, 4);
    assert!(by_name.1.iter().all(|seen| !seen.contains("secret")), "{:?}", by_name.1);
}

#[test]
fn a_text_that_begins_like_thoughts_is_not_shown_before_it_turns_out_to_be_an_answer() {
    let orphan = "Okay, the user wants plums.\n</think>\n\nHere are plums.";
    for size in [1, 5, 100] {
        let first = read(&mut Thoughts::new(EatenMarks::default().of("m")), orphan, size);
        assert_eq!(first.0, "Here are plums.");
        assert!(first.1.iter().all(|seen| !seen.contains("user")), "{:?}", first.1);
    }
    let marks = EatenMarks::default();
    let plain = "Okay, let us see: there are plums, and there are pears.";
    for time in 0..2 {
        let (answer, seen, _) = read(&mut Thoughts::new(marks.of("m")), plain, 5);
        assert_eq!(answer, plain);
        assert_eq!(seen.iter().filter(|seen| !seen.is_empty()).count() > 3, time == 1, "{seen:?}");
    }
    // What begins otherwise is shown from the first word on.
    let other = read(&mut Thoughts::new(EatenMarks::default().of("m")), "Okra is green.", 2);
    assert!(other.1.len() > 3 && other.0 == "Okra is green.", "{:?}", other.1);
}

#[test]
fn nothing_is_lost_of_a_text_without_marks() {
    let text = "a<b ◁ [th `x` </t\nhink> <<think ".repeat(20);
    assert_eq!(answer(&text), text);
    let mut thoughts = Thoughts::new(EatenMarks::default().of("qwq"));
    let mut events = Vec::new();
    thoughts.push("Yes", &mut events);
    thoughts.come_apart(&mut events);
    assert_eq!(events.last(), Some(&Event::Text("Yes".to_owned())));
}
