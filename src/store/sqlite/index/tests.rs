//! The index of the documents on real files.

use std::path::Path;

use super::{Index, open};
use crate::store::failure::StoreErrorKind;
use crate::store::index::{
    Embedding, Floor, GenerationId, GenerationState, Hash, IndexTotals, NewDocument, NewPassage,
    PassageId, Stamp, Wanted,
};
use crate::store::word_query::{WordQuery, WordTerm};

fn hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hash[..text.len().min(32)].copy_from_slice(&text.as_bytes()[..text.len().min(32)]);
    hash
}

fn document(path: &str, texts: &[&str]) -> NewDocument {
    let passage = |text: &&str| NewPassage {
        title: "Title".into(),
        text: (*text).into(),
        hash: hash(text),
        title_words: "title".into(),
        text_words: (*text).into(),
        ..NewPassage::default()
    };
    NewDocument {
        source: "documents".into(),
        path: path.into(),
        stamp: Stamp { device: u64::MAX, inode: 7, size: 9, modified_ns: -1, changed_ns: 5 },
        read_by: "text 1".into(),
        passages: texts.iter().map(passage).collect(),
        ..NewDocument::default()
    }
}

async fn texts(index: &Index, query: &str) -> Vec<String> {
    let term = |word: &str| WordTerm { forms: vec![word.to_owned()], ..WordTerm::default() };
    let terms = query.split(' ').map(term).collect();
    let query = WordQuery { terms, limit: 10, ..WordQuery::default() };
    let found = index.find_words(query).await.unwrap().passages;
    let ids: Vec<PassageId> = found.into_iter().map(|(id, _)| id).collect();
    index.passages(&ids).await.unwrap().into_iter().map(|passage| passage.text).collect()
}

#[tokio::test]
async fn what_stays_keeps_its_number_and_what_goes_is_found_no_more() {
    let dir = tempfile::tempdir().unwrap();
    for index in [Index::in_memory().unwrap(), Index::open(&dir.path().join("i.db")).unwrap()] {
        let first = index.put(document("a.md", &["one", "two", "two", "three"])).await.unwrap();
        assert_eq!((first.added.len(), first.kept, first.removed.len()), (4, 0, 0));
        let again = index.put(document("a.md", &["zero", "two", "one", "two"])).await.unwrap();
        assert_eq!((again.document, again.kept), (first.document, 3));
        assert_eq!(again.removed, [first.added[3]]);
        assert!(again.added[0] > first.added[3], "no number is given twice");
        assert_eq!(texts(&index, "three").await, Vec::<String>::new());
        assert_eq!(texts(&index, "one").await, ["one"]);
        let known = index.documents().await.unwrap();
        assert_eq!((known.len(), known[0].passages), (1, 4));
        assert_eq!(known[0].stamp, document("", &[]).stamp);
        let bytes = 4 * 5 + 4 + 3 + 3 + 3;
        let totals = IndexTotals { documents: 1, unreadable: 0, passages: 4, texts: 3, bytes };
        assert_eq!(index.totals().await.unwrap(), totals);

        index.renamed(known[0].id, "b.md".into(), Stamp::default()).await.unwrap();
        let moved = index.passages(&first.added[..1]).await.unwrap();
        assert_eq!((moved[0].source.as_str(), moved[0].path.as_str()), ("documents", "b.md"));
        assert_eq!(index.remove(vec![known[0].id]).await.unwrap().len(), 4);
        assert_eq!(index.totals().await.unwrap(), IndexTotals::default());
        assert_eq!(texts(&index, "one").await, Vec::<String>::new());
    }
}

fn model(name: &str) -> Embedding {
    Embedding { model: name.into(), ..Embedding::default() }
}

#[tokio::test]
async fn a_vector_belongs_to_a_text_and_a_generation() {
    let index = Index::in_memory().unwrap();
    let put = index.put(document("a.md", &["one", "two"])).await.unwrap();
    index.put(document("b.md", &["two"])).await.unwrap();
    let generation = index.begin_generation(model("e5"), 1).await.unwrap();
    assert_eq!(index.begin_generation(model("e5"), 2).await.unwrap(), generation);
    let missing = index.without_vector(generation, 10).await.unwrap();
    assert_eq!(missing.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let vectors = vec![(hash("two"), vec![0.5, -1.0, 0.25])];
    index.put_vectors(generation, vectors).await.unwrap();
    assert_eq!(index.without_vector(generation, 10).await.unwrap().len(), 1);
    let (last, mut codes) = index.codes_after(generation, None, 10).await.unwrap().unwrap();
    assert_eq!(index.codes_after(generation, Some(last), 10).await.unwrap(), None);
    codes.sort_by_key(|code| code.passage);
    let with: Vec<PassageId> = codes.iter().map(|code| code.passage).collect();
    assert_eq!(
        (index.with_vector(generation).await.unwrap(), with[0]),
        (with.clone(), put.added[1])
    );
    assert_eq!(codes.len(), 2, "both passages of that text");
    assert_eq!(codes[0].code, [64, -127, 32]);
    let one = index.codes_of(generation, vec![put.added[1], PassageId(99)]).await.unwrap();
    assert_eq!(one.iter().map(|code| code.passage).collect::<Vec<_>>(), [put.added[1]]);
    let exact = index.exact(generation, &put.added).await.unwrap();
    assert_eq!(exact, [(put.added[1], vec![0.5, -1.0, 0.25])]);
    let odd = index.put_vectors(generation, vec![(hash("one"), vec![1.0])]).await;
    assert_eq!(odd.unwrap_err().kind(), StoreErrorKind::Row, "another number of dimensions");
    assert!(!index.is_damaged(), "a server's mistake costs no index");

    assert_eq!(index.floors(generation).await.unwrap(), []);
    let floor = |near| Floor { language: "en".into(), near, likely: 0.5 };
    index.keep_floor(generation, floor(0.25)).await.unwrap();
    index.keep_floor(generation, floor(0.75)).await.unwrap();
    assert_eq!(index.floors(generation).await.unwrap(), [floor(0.75)]);

    index.put(document("a.md", &["one"])).await.unwrap();
    assert_eq!(index.drop_unused_vectors().await.unwrap(), 0);
    index.put(document("b.md", &[])).await.unwrap();
    assert_eq!(index.drop_unused_vectors().await.unwrap(), 1);
    assert_eq!(index.floors(generation).await.unwrap(), [], "it was learned of another number");
    assert_eq!(index.exact(generation, &put.added).await.unwrap(), []);
}

#[tokio::test]
async fn generations_are_swapped_and_pruned() {
    let index = Index::in_memory().unwrap();
    index.put(document("a.md", &["one"])).await.unwrap();
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let id = index.begin_generation(model(name), 1).await.unwrap();
        index.put_vectors(id, vec![(hash("one"), vec![1.0])]).await.unwrap();
        assert!(index.activate(id, i64::try_from(made.len()).unwrap()).await.unwrap());
        made.push(id);
    }
    let states = async || {
        let all = index.generations().await.unwrap();
        all.into_iter().map(|one| (one.id, one.state, one.embedded)).collect::<Vec<_>>()
    };
    let (old, active) = (GenerationState::Old, GenerationState::Active);
    assert_eq!(states().await, [(made[0], old, 1), (made[1], old, 1), (made[2], active, 1)]);
    assert_eq!(index.prune(1).await.unwrap(), [made[0]]);
    assert_eq!(index.dropped().await.unwrap(), [(made[0], 1)], "its copies are still to go");
    index.dropped_everywhere(made[0]).await.unwrap();
    assert_eq!(index.dropped().await.unwrap(), []);
    assert_eq!(states().await, [(made[1], old, 1), (made[2], active, 1)]);
    assert_eq!(index.begin_generation(model("b"), 2).await.unwrap(), made[1], "its vectors stay");
    let dropped = index.begin_generation(model("d"), 3).await.unwrap();
    let building = GenerationState::Building;
    assert_eq!(states().await, [(made[2], active, 1), (dropped, building, 0)]);
    assert!(!index.activate(GenerationId(99), 1).await.unwrap());
}

#[tokio::test]
async fn one_process_keeps_it_and_others_leave_requests() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.index.db");
    assert_eq!(Index::visit(&path).unwrap_err().kind(), StoreErrorKind::Open);
    let keeper = Index::open(&path).unwrap();
    let other = Index::open(&path).unwrap();
    assert!(keeper.is_keeper() && !other.is_keeper() && !other.keep().unwrap());
    let asked = other.ask(Wanted::Sync, 1).await.unwrap();
    let second = other.ask(Wanted::Use(GenerationId(3)), 1).await.unwrap();
    let wanted: Vec<_> = keeper.asked().await.unwrap().into_iter().map(|r| r.wanted).collect();
    assert_eq!(wanted, [Wanted::Sync, Wanted::Use(GenerationId(3))]);
    assert_eq!(other.outcome(asked).await.unwrap(), None);
    keeper.answered(asked, Ok("2 files".into())).await.unwrap();
    keeper.answered(second, Err("none such".into())).await.unwrap();
    assert_eq!(other.outcome(asked).await.unwrap(), Some(Ok("2 files".into())));
    assert_eq!(other.outcome(second).await.unwrap(), Some(Err("none such".into())));
    assert_eq!(keeper.asked().await.unwrap(), []);
    drop(keeper);
    assert!(other.keep().unwrap());
}

#[expect(clippy::disallowed_methods, reason = "a test damages a file on purpose")]
fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_foreign_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.index.db");
    let fill = async |index: &Index| {
        index.put(document("a.md", &["one"])).await.unwrap();
    };
    let index = Index::open(&path).unwrap();
    fill(&index).await;
    drop(index);
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 8192, "the log was folded into the file");
    for (from, to) in [(0, 100), (4096, whole.len())] {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0x5a);
        write(&path, &bytes);
        let index = Index::open(&path).unwrap();
        let aside = dir.path().join("katana.index.db.damaged");
        assert_eq!(index.set_aside(), Some(aside), "{from}");
        assert_eq!(index.totals().await.unwrap().documents, 0);
        fill(&index).await;
    }
    let index = Index::open(&path).unwrap();
    index.start_over().await.unwrap();
    assert_eq!(index.totals().await.unwrap().documents, 0);
    fill(&index).await;

    // A new beginning that fails is gone on with, and nothing is written into the void meanwhile.
    let aside = dir.path().join("katana.index.db.damaged");
    open::delete(&aside).unwrap();
    std::fs::create_dir_all(aside.join("in the way")).unwrap();
    assert!(index.start_over().await.is_err());
    assert!(index.put(document("b.md", &["two"])).await.is_err() && index.totals().await.is_err());
    assert!(index.go_on_starting_over().await.is_err());
    std::fs::remove_dir_all(&aside).unwrap();
    index.go_on_starting_over().await.unwrap();
    assert!(aside.is_file());
    assert_eq!(index.totals().await.unwrap().documents, 0);
    fill(&index).await;
    assert_eq!(Index::visit(&path).unwrap().totals().await.unwrap().documents, 1);

    let foreign = dir.path().join("notes.txt");
    write(&foreign, b"shopping list");
    let refused = Index::open(&foreign).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::WrongFile);
    assert_eq!(std::fs::read(&foreign).unwrap(), b"shopping list");
    let database = dir.path().join("other.db");
    let other = rusqlite::Connection::open(&database).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    assert_eq!(Index::open(&database).unwrap_err().kind(), StoreErrorKind::WrongFile);
    assert_eq!(Index::visit(&database).unwrap_err().kind(), StoreErrorKind::WrongFile);
}

#[tokio::test]
async fn an_index_of_another_version_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("katana.index.db");
    let index = Index::open(&path).unwrap();
    index.put(document("a.md", &["one"])).await.unwrap();
    drop(index);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 9999).unwrap();
    drop(conn);
    assert_eq!(Index::visit(&path).unwrap_err().kind(), StoreErrorKind::Schema);
    let index = Index::open(&path).unwrap();
    assert_eq!((index.set_aside(), index.totals().await.unwrap().documents), (None, 0));
}

#[tokio::test]
async fn damage_of_a_file_that_was_set_aside_is_not_that_of_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    let index = Index::open(&path).unwrap();
    let met = |made| drop(index.worded(made, super::odd_row("passages")));
    let before = index.made();
    met(before);
    assert!(index.is_damaged());
    index.start_over().await.unwrap();
    assert!(!index.is_damaged());
    // A search that began with the old file.
    met(before);
    assert!(!index.is_damaged());
    met(index.made());
    assert!(index.is_damaged());

    // Who only reads has nothing to repair, and not what another one met before, either.
    let reader = Index::visit(&path).unwrap();
    drop(reader.worded(reader.made(), super::odd_row("passages")));
    assert!(reader.is_damaged());
    drop(index);
    assert!(reader.keep().unwrap() && !reader.is_damaged());
}
