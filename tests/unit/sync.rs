//! What a pass over folders does, on real files.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::knowledge::source::MAIN_SOURCE;

/// A folder, its index, and what the passes over it do.
struct World {
    dir: tempfile::TempDir,
    index: Index,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // So much later that no file has changed only just before.
        let clock = Clock::manual(i64::MAX / 2_000_000);
        Self { dir, index: Index::in_memory().unwrap(), clock }
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    async fn pass(&self) -> Pass {
        let sources = [Source::new(MAIN_SOURCE, self.dir.path())];
        self.over(&sources).await
    }

    async fn over(&self, sources: &[Source]) -> Pass {
        let (of, mut done) = ((&Folders::default(), sources), Pass::default());
        pass(&self.index, of, &self.clock, &|_| (), &mut done).await.unwrap();
        done
    }

    /// Read, unchanged, removed and renamed.
    async fn counts(&self) -> [usize; 4] {
        let Pass { read, unchanged, removed, renamed, .. } = self.pass().await;
        [read, unchanged, removed, renamed]
    }

    async fn documents(&self) -> Vec<(String, u64, Option<String>)> {
        let known = self.index.documents().await.unwrap();
        known.into_iter().map(|one| (one.path, one.passages, one.problem)).collect()
    }
}

#[tokio::test]
async fn only_what_changed_is_read() {
    let world = World::new();
    world.write("a.md", "# A\n\nOne.\n\n# B\n\nTwo.\n");
    world.write("deep/b.txt", "Three.\n");
    assert_eq!(world.counts().await, [2, 0, 0, 0]);
    assert_eq!(world.counts().await, [0, 2, 0, 0]);

    world.write("a.md", "# A\n\nOne.\n\n# B\n\nOther.\n");
    let pass = world.pass().await;
    assert_eq!((pass.read, pass.added, pass.gone.len()), (1, 1, 1), "the other passage stays");

    let file = std::fs::File::options().append(true).open(world.at("a.md")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(world.counts().await, [0, 2, 0, 0], "it was only touched");

    std::fs::rename(world.at("deep/b.txt"), world.at("deep/c.txt")).unwrap();
    assert_eq!(world.counts().await, [0, 2, 0, 1]);
    std::fs::rename(world.at("deep"), world.at("deeper")).unwrap();
    assert_eq!(world.counts().await, [0, 2, 0, 1]);
    std::fs::remove_file(world.at("a.md")).unwrap();
    assert_eq!(world.counts().await, [0, 1, 1, 0]);
    assert_eq!(world.documents().await, [("deeper/c.txt".into(), 1, None)]);
}

#[tokio::test]
async fn a_file_that_may_change_again_at_the_same_time_is_compared_by_its_bytes() {
    let world = World { clock: Clock::system(), ..World::new() };
    world.write("a.md", "One.\n");
    assert_eq!(world.counts().await, [1, 0, 0, 0]);
    let times = world.index.documents().await.unwrap();
    assert_eq!(times[0].stamp.changed_ns, 0, "unsure");
    assert_eq!(world.counts().await, [0, 1, 0, 0]);
    world.write("a.md", "Two.\n");
    assert_eq!(world.counts().await, [1, 0, 0, 0]);
}

#[tokio::test]
async fn a_document_is_one_whatever_links_lead_to_it() {
    let world = World::new();
    world.write("sub/a.md", "One.\n");
    std::fs::hard_link(world.at("sub/a.md"), world.at("sub/b.md")).unwrap();
    symlink("sub/a.md", world.at("c.md")).unwrap();
    symlink("..", world.at("sub/up")).unwrap();
    symlink("sub", world.at("again")).unwrap();
    assert_eq!(world.counts().await, [1, 0, 0, 0]);
    assert_eq!(world.documents().await, [("sub/a.md".into(), 1, None)]);
    assert_eq!(world.counts().await, [0, 1, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_comes_back() {
    let world = World::new();
    let secret = tempfile::tempdir().unwrap();
    std::fs::write(secret.path().join("token.md"), "secret").unwrap();
    symlink(secret.path().join("token.md"), world.at("out.md")).unwrap();
    symlink("nothing", world.at("dangling.md")).unwrap();
    world.write("binary.md", [0xff, 0xfe, 0x00]);
    assert_eq!(world.counts().await, [3, 0, 0, 0]);
    assert_eq!(world.counts().await, [0, 3, 0, 0]);
    let all = world.documents().await;
    let why = |path: &str| {
        let found = all.iter().find(|(name, ..)| name == path).unwrap();
        found.2.clone().unwrap_or_default()
    };
    assert!(why("out.md").contains("leads out of the folder"), "{all:?}");
    assert!(why("dangling.md").contains("leads to nothing"), "{all:?}");
    assert!(why("binary.md").contains("UTF-8"), "{all:?}");
    world.write("binary.md", "text now\n");
    world.write("nothing", "a target\n");
    world.pass().await;
    let all = world.documents().await;
    assert_eq!(all.iter().filter(|(_, _, problem)| problem.is_none()).count(), 2, "{all:?}");
}

#[tokio::test]
async fn a_file_of_headings_alone_cannot_fill_the_index() {
    let world = World::new();
    world.write("many.md", "## a\nx\n".repeat(30_000));
    world.pass().await;
    let known = world.index.documents().await.unwrap();
    assert_eq!(known[0].passages, 10_000);
    assert!(known[0].remark.as_deref().unwrap().contains("only its first 10000"), "{known:?}");
}

#[tokio::test]
async fn what_is_out_of_sight_is_kept() {
    let world = World::new();
    world.write("docs/a.md", "One.\n");
    world.write("docs/sub/b.md", "Two.\n");
    let sources = [Source::new(MAIN_SOURCE, world.at("docs"))];
    let look = async |sources: &[Source]| world.over(sources).await;
    assert_eq!(look(&sources).await.read, 2);
    std::fs::rename(world.at("docs"), world.at("away")).unwrap();
    let lost = look(&sources).await;
    assert_eq!((lost.removed, lost.unreadable.len()), (0, 1), "{lost:?}");
    assert_eq!(world.documents().await.len(), 2);
    std::fs::rename(world.at("away"), world.at("docs")).unwrap();
    assert_eq!(look(&sources).await.unchanged, 2);
    assert_eq!(look(&[]).await.removed, 2, "the source is no longer configured");
}

#[tokio::test]
async fn filters_choose_and_several_sources_have_their_names() {
    let world = World::new();
    world.write("one/a.md", "One.\n");
    world.write("one/drafts/b.md", "Two.\n");
    world.write("two/a.md", "Three.\n");
    let sources = [
        Source::new(MAIN_SOURCE, world.at("one")).filtered(&[], &["drafts/**".to_owned()]),
        Source::new("handbook", world.at("two")),
    ];
    let done = world.over(&sources).await;
    assert_eq!(done.read, 2);
    let known = world.index.documents().await.unwrap();
    let names: Vec<_> = known.iter().map(|one| (one.source.as_str(), one.path.as_str())).collect();
    assert_eq!(names, [("documents", "a.md"), ("handbook", "a.md")]);
    assert!(Path::new(&known[0].path).is_relative());
}
