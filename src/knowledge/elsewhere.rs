//! Questions about this and that, which most documents have no answer to: how near passages are to them is how near
//! passages are to a question that has none.
//!
//! Invariant: of each language the same questions, and none of those that the evaluation asks.

use words::Language;

/// A line a language: its code and its questions.
const QUESTIONS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "Who won the football world cup in 1998?",
            "How long should I bake bread?",
            "What is the capital of Australia?",
            "How often should I feed a goldfish?",
            "How do I clean a leather sofa?",
            "What is the melting point of gold?",
            "Can you recommend a crime novel?",
            "How many calories are in a banana?",
            "Why is the sky blue?",
            "When do tulips bloom?",
            "How do I tie a bow tie?",
            "Which instrument did Mozart play?",
            "What helps against hiccups?",
            "How tall is the Eiffel Tower?",
            "How do I boil rice?",
            "What is the longest river in Europe?",
        ],
    ),
    (
        "de",
        &[
            "Wer wurde 1998 Fußballweltmeister?",
            "Wie lange muss Brot backen?",
            "Was ist die Hauptstadt von Australien?",
            "Wie oft soll ich einen Goldfisch füttern?",
            "Wie reinige ich ein Ledersofa?",
            "Wie hoch ist der Schmelzpunkt von Gold?",
            "Welchen Krimi kannst du empfehlen?",
            "Wie viele Kalorien hat eine Banane?",
            "Warum ist der Himmel blau?",
            "Wann blühen Tulpen?",
            "Wie bindet man eine Fliege?",
            "Welches Instrument spielte Mozart?",
            "Was hilft gegen Schluckauf?",
            "Wie hoch ist der Eiffelturm?",
            "Wie kocht man Reis?",
            "Welcher Fluss in Europa ist der längste?",
        ],
    ),
    (
        "fr",
        &[
            "Qui a gagné la coupe du monde de football en 1998 ?",
            "Combien de temps faut-il cuire le pain ?",
            "Quelle est la capitale de l'Australie ?",
            "Combien de fois faut-il nourrir un poisson rouge ?",
            "Comment nettoyer un canapé en cuir ?",
            "Quel est le point de fusion de l'or ?",
            "Peux-tu me recommander un roman policier ?",
            "Combien de calories contient une banane ?",
            "Pourquoi le ciel est-il bleu ?",
            "Quand fleurissent les tulipes ?",
            "Comment faire un nœud papillon ?",
            "De quel instrument jouait Mozart ?",
            "Que faire contre le hoquet ?",
            "Quelle est la hauteur de la tour Eiffel ?",
            "Comment cuire du riz ?",
            "Quel est le plus long fleuve d'Europe ?",
        ],
    ),
    (
        "es",
        &[
            "¿Quién ganó el mundial de fútbol de 1998?",
            "¿Cuánto tiempo se hornea el pan?",
            "¿Cuál es la capital de Australia?",
            "¿Cada cuánto hay que dar de comer a un pez?",
            "¿Cómo se limpia un sofá de cuero?",
            "¿Cuál es el punto de fusión del oro?",
            "¿Qué novela policíaca me recomiendas?",
            "¿Cuántas calorías tiene un plátano?",
            "¿Por qué es azul el cielo?",
            "¿Cuándo florecen los tulipanes?",
            "¿Cómo se hace el nudo de una pajarita?",
            "¿Qué instrumento tocaba Mozart?",
            "¿Qué ayuda contra el hipo?",
            "¿Cuánto mide la torre Eiffel?",
            "¿Cómo se cuece el arroz?",
            "¿Cuál es el río más largo de Europa?",
        ],
    ),
    (
        "ru",
        &[
            "Кто выиграл чемпионат мира по футболу в 1998 году?",
            "Сколько времени печь хлеб?",
            "Какой город столица Австралии?",
            "Как часто кормить золотую рыбку?",
            "Как почистить кожаный диван?",
            "При какой температуре плавится золото?",
            "Какой детектив посоветуешь почитать?",
            "Сколько калорий в банане?",
            "Почему небо голубое?",
            "Когда цветут тюльпаны?",
            "Как завязать галстук-бабочку?",
            "На каком инструменте играл Моцарт?",
            "Что помогает от икоты?",
            "Какова высота Эйфелевой башни?",
            "Как варить рис?",
            "Какая река в Европе самая длинная?",
        ],
    ),
    (
        "zh",
        &[
            "谁赢得了1998年世界杯足球赛？",
            "面包要烤多长时间？",
            "澳大利亚的首都是哪里？",
            "金鱼多久喂一次？",
            "怎样清洁皮沙发？",
            "黄金的熔点是多少？",
            "能推荐一本侦探小说吗？",
            "一根香蕉有多少卡路里？",
            "天空为什么是蓝色的？",
            "郁金香什么时候开花？",
            "怎样系领结？",
            "莫扎特演奏什么乐器？",
            "打嗝怎么办？",
            "埃菲尔铁塔有多高？",
            "怎样煮米饭？",
            "欧洲最长的河流是哪条？",
        ],
    ),
];

/// The questions in a language; none where there are none in it.
pub(super) fn questions(language: Language) -> &'static [&'static str] {
    let of = QUESTIONS.iter().find(|(code, _)| *code == language.code());
    of.map_or(&[], |(_, questions)| questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_the_same_questions_in_it() {
        for (code, questions) in QUESTIONS {
            let all = questions.join(" ");
            assert_eq!(Language::of(&all).map(Language::code), Some(*code));
            assert_eq!(questions.len(), QUESTIONS[0].1.len(), "{code}");
        }
        assert!(questions(Language::of_code("th").unwrap()).is_empty());
    }
}
