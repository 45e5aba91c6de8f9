//! Letters without their accents, so that a word is found however it was typed.

use crate::script::Script;

/// Plain letters, and those that are written with an accent.
const LETTERS: &[(&str, &str)] = &[
    ("a", "àáâãäåāăąǎạảấầẩẫậắằẳẵặά"),
    ("c", "çćĉċč"),
    ("d", "ďđ"),
    ("e", "èéêëēĕėęěẹẻẽếềểễệ"),
    ("g", "ĝğġģ"),
    ("h", "ĥħ"),
    ("i", "ìíîïĩīĭįıǐỉị"),
    ("j", "ĵ"),
    ("k", "ķ"),
    ("l", "ĺļľŀł"),
    ("n", "ñńņňŉ"),
    ("o", "òóôõöøōŏőơǒọỏốồổỗộớờởỡợ"),
    ("r", "ŕŗř"),
    ("s", "śŝşšș"),
    ("t", "ţťŧț"),
    ("u", "ùúûüũūŭůűųưǔụủứừửữự"),
    ("w", "ŵ"),
    ("y", "ýÿŷỳỵỷỹ"),
    ("z", "źżž"),
    ("ss", "ß"),
    ("ae", "æ"),
    ("oe", "œ"),
    ("th", "þ"),
    ("е", "ё"),
    ("α", "ά"),
    ("ε", "έ"),
    ("η", "ή"),
    ("ι", "ίϊΐ"),
    ("ο", "ό"),
    ("υ", "ύϋΰ"),
    ("ω", "ώ"),
    ("σ", "ς"),
];

/// A word in lower case without accents.
pub(crate) fn folded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii()
            || !matches!(Script::of(c), Some(Script::Latin | Script::Greek | Script::Cyrillic))
        {
            // Accents that stand alone, short vowels of Arabic, and its line of decoration.
            if !matches!(u32::from(c), 0x300..=0x36f | 0x640 | 0x64b..=0x652 | 0x670) {
                folded.push(c);
            }
            continue;
        }
        match LETTERS.iter().find(|(_, accented)| accented.contains(c)) {
            Some((plain, _)) => folded.push_str(plain),
            None => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_go_and_letters_stay() {
        for (word, plain) in [
            ("straße", "strasse"),
            ("ångström", "angstrom"),
            ("naïve", "naive"),
            ("e\u{301}te\u{301}", "ete"),
            ("ещё", "еще"),
            ("какой", "какой"),
            ("πώς", "πωσ"),
            ("dpkg", "dpkg"),
            ("คืน", "คืน"),
        ] {
            assert_eq!(folded(word), plain);
        }
    }
}
