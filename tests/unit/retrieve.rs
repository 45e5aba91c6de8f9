//! How well follow-up questions are searched for, measured on a small corpus.

use super::*;
use crate::model::conversation::Message;

/// A handbook of an insurer: the same words come back on many pages.
const PAGES: &[(&str, &str)] = &[
    (
        "glass.md",
        "# Glass\n\n## Windscreen of a car\n\nA cracked windscreen is replaced without excess \
        when a partner garage does it.\n\n## Windows of a house\n\nBroken panes of a house are covered up \
        to 2,000 euros a year.\n\n## Aquariums\n\nAn aquarium is covered for its glass, not for its fish.\n",
    ),
    (
        "car.md",
        "# Car insurance\n\n## Mirrors\n\nA broken mirror of a car is covered, with an excess of \
        150 euros.\n\n## Theft\n\nA stolen car is paid at the price of the day, after 30 days.\n\n## Hail\n\n\
        Damage by hail is covered for a car that stands outside.\n\n## Abroad\n\nThe cover of a car holds in \
        all of Europe, for 90 days.\n",
    ),
    (
        "bike.md",
        "# Bicycles\n\n## Theft\n\nA stolen bicycle is paid when it was locked to something \
        fixed.\n\n## Batteries\n\nThe battery of an electric bicycle is covered for two years.\n\n## \
        Abroad\n\nA bicycle is covered in neighbouring countries only.\n",
    ),
    (
        "house.md",
        "# House insurance\n\n## Water\n\nDamage by water from pipes is covered, from floods only \
        with the module Nature.\n\n## Storm\n\nDamage by storm is covered from wind force 8.\n\n## Fire\n\n\
        Damage by fire and lightning is covered without limit.\n",
    ),
    (
        "pets.md",
        "# Pets\n\n## Dogs\n\nDamage that a dog does to others is covered by the module Animals.\
        \n\n## Cats\n\nCats are covered by the usual liability.\n\n## Horses\n\nA horse needs a contract of its \
        own.\n",
    ),
    (
        "claims.md",
        "# Claims\n\n## How to report\n\nReport damage within seven days by the form on the web \
        site.\n\n## Documents\n\nSend photos and the invoice with the claim.\n\n## Payment\n\nClaims are paid \
        within fourteen days.\n",
    ),
    (
        "contract.md",
        "# Contract\n\n## Cancel\n\nA contract can be cancelled in writing, three months before \
        its end.\n\n## Moving\n\nTell us your new address within a month after moving.\n\n## Premium\n\nThe \
        premium is paid in January, by debit.\n",
    ),
];

/// What was asked before, what is asked now, and a heading of the passage that answers it.
type Dialogue = (&'static [&'static str], &'static str, &'static str);

/// Questions that mean nothing alone, or something else.
const FOLLOW_UPS: &[Dialogue] = &[
    (
        &["Is a broken mirror of my car covered?"],
        "And what about a windscreen?",
        "Windscreen of a car",
    ),
    (&["Is my bicycle covered if it is stolen?"], "And abroad?", "Bicycles › Abroad"),
    (&["What happens if my car is stolen?"], "And abroad?", "Car insurance › Abroad"),
    (&["Is hail damage to my car paid?"], "And theft?", "Car insurance › Theft"),
    (&["Is the battery of my electric bicycle covered?"], "And theft?", "Bicycles › Theft"),
    (&["Does the house insurance pay for storm?"], "What about water?", "House insurance › Water"),
    (
        &["Does the house insurance pay for fire?"],
        "and if it was lightning?",
        "House insurance › Fire",
    ),
    (&["Are dogs covered?"], "And horses?", "Pets › Horses"),
    (&["Are dogs covered?"], "Which module is that?", "Pets › Dogs"),
    (&["How do I report damage?"], "Which documents do you need?", "Claims › Documents"),
    (&["How do I report a claim?"], "When is it paid?", "Claims › Payment"),
    (&["How can I cancel my contract?"], "How long before its end?", "Contract › Cancel"),
    (&["Are windows of my house covered?"], "Up to which amount?", "Windows of a house"),
    (&["Is a cracked windscreen covered?"], "With excess?", "Windscreen of a car"),
    (
        &["Is a stolen bicycle paid?", "And its battery?"],
        "For how many years?",
        "Bicycles › Batteries",
    ),
    (&["When do I pay the premium?"], "By debit?", "Contract › Premium"),
    (&["Is flood water covered in my house?"], "Why not?", "House insurance › Water"),
    (&["I am moving. What do I have to do?"], "Until when?", "Contract › Moving"),
];

/// Questions that have nothing to do with what was asked before.
const NEW_TOPICS: &[Dialogue] = &[
    (
        &["Is a broken mirror of my car covered?"],
        "How do I cancel the contract?",
        "Contract › Cancel",
    ),
    (&["How can I cancel my contract?"], "Are cats covered?", "Pets › Cats"),
    (&["Are dogs covered?"], "Is damage by storm covered?", "House insurance › Storm"),
    (&["Does the house insurance pay for fire?"], "My bicycle was stolen", "Bicycles › Theft"),
    (&["Is a stolen bicycle paid?"], "My car was stolen", "Car insurance › Theft"),
    (&["When is a claim paid?"], "When is the premium paid?", "Contract › Premium"),
    (
        &["When do I pay the premium?"],
        "Which photos do you need for a claim?",
        "Claims › Documents",
    ),
    (&["Are horses covered?"], "Is an aquarium covered?", "Aquariums"),
    (
        &["Is hail damage to my car paid?"],
        "Is damage by water from pipes paid?",
        "House insurance › Water",
    ),
    (&["I am moving. What do I have to do?"], "A dog did damage to others", "Pets › Dogs"),
];

/// How many dialogues have their passage first, and among the first three, alone or with what was asked before.
async fn recall(dialogues: &[Dialogue], has_history: bool) -> (usize, usize) {
    let knowledge = Knowledge::of_pages(PAGES).unwrap();
    let (mut first, mut third) = (0, 0);
    for (earlier, now, wanted) in dialogues {
        let history: Vec<Message> = earlier
            .iter()
            .filter(|_| has_history)
            .flat_map(|words| [Message::user(*words), Message::assistant("Yes.")])
            .collect();
        let found = search(&knowledge, now, &history, 3).await.unwrap();
        let at = found.iter().position(|passage| passage.title.ends_with(wanted));
        first += usize::from(at == Some(0));
        third += usize::from(at.is_some());
    }
    (first, third)
}

#[tokio::test]
async fn a_follow_up_is_found_in_its_context_and_a_new_topic_as_well_as_alone() {
    let all = FOLLOW_UPS.len();
    let (alone, together) = (recall(FOLLOW_UPS, false).await, recall(FOLLOW_UPS, true).await);
    assert_eq!((alone, together), ((12, 15), (all, all)));
    let (alone, together) = (recall(NEW_TOPICS, false).await, recall(NEW_TOPICS, true).await);
    assert_eq!((alone, together), ((10, 10), (10, 10)), "a new topic is not pulled back");
}
