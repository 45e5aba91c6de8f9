//! Formats, links, formulas and HTML within a line.

use super::{Inline, Walk};
use crate::model::text::EntityKind;
use crate::telegram::render::html::{self, Piece};
use crate::telegram::render::{clean, emphasis, link};

impl Walk {
    pub(super) fn open(&mut self, kind: EntityKind) {
        self.page.ready();
        self.inlines.push(Inline::Format(self.page.at(), kind));
    }

    pub(super) fn open_link(&mut self, address: String) {
        self.page.ready();
        self.links += 1;
        self.inlines.push(Inline::Link(self.page.at(), address));
    }

    pub(super) fn close(&mut self) {
        match self.inlines.pop() {
            Some(Inline::Format(start, kind)) => self.page.mark(start, self.page.at(), kind),
            Some(Inline::Link(start, address)) => self.close_link(start, &address),
            Some(Inline::Nothing) => self.page.write("~"),
            None => {}
        }
    }

    fn close_link(&mut self, start: usize, address: &str) {
        let address = &*html::restore(address, &self.addresses).replace(emphasis::LETTER, "");
        self.links = self.links.saturating_sub(1);
        let nameless = clean::is_blank(self.page.since(start));
        if self.links > 0 {
            return;
        }
        // Without a name the address is shown.
        self.has_words |= nameless && !clean::is_blank(address);
        match link::target(address) {
            Some(url) => {
                if nameless {
                    self.page.write(&url);
                }
                self.page.mark(start, self.page.at(), EntityKind::Link { url });
                if let Some(table) = &mut self.table {
                    table.note_link();
                }
            }
            None if nameless => self.page.write(address),
            None => {
                if let Some(shown) = link::shown(address, self.page.since(start)) {
                    let shown = format!(" ({shown})");
                    self.page.write(&shown);
                }
            }
        }
    }

    pub(super) fn formatted(&mut self, text: &str, kind: EntityKind) {
        self.page.ready();
        let start = self.page.at();
        self.page.write(text);
        self.page.mark(start, self.page.at(), kind);
    }

    /// Formulas are shown as written. What looks like one and has none of its signs is most
    /// likely money.
    pub(super) fn inline_math(&mut self, math: &str) {
        if math.contains(['\\', '^', '_', '{', '=']) {
            self.formatted(math, EntityKind::Code);
        } else {
            self.page.write(&format!("${math}$"));
        }
    }

    /// Nothing is known of what stands around, so the formula takes a block only where it can.
    pub(super) fn display_math(&mut self, math: &str) {
        let inline = self.page.single_line || self.in_heading || !self.inlines.is_empty();
        if inline {
            return self.formatted(math.trim(), EntityKind::Code);
        }
        if math.trim().is_empty() {
            return self.page.write(&format!("$${math}$$"));
        }
        self.page.own_line();
        self.page.break_line();
        let start = self.page.at();
        self.page.write_code(math.trim());
        let language = Some("latex".to_owned());
        self.page.mark(start, self.page.at(), EntityKind::Pre { language });
        self.page.set_gap(1);
    }

    /// Text with marks in place of tags.
    pub(super) fn text(&mut self, text: &str) {
        if !text.contains(html::is_tag) {
            return self.page.write(text);
        }
        let addresses = std::mem::take(&mut self.addresses);
        for piece in html::pieces(text, &addresses) {
            match piece {
                Piece::Text(text) => self.page.write(text),
                Piece::Break => {
                    self.page.newline();
                    self.broken = Some(self.page.at());
                }
                Piece::Open(kind) => {
                    self.page.ready();
                    self.links += usize::from(is_link(&kind));
                    self.tags.push((self.page.at(), kind));
                }
                Piece::Close(kind) => self.close_tag(&kind),
            }
        }
        self.addresses = addresses;
    }

    fn close_tag(&mut self, kind: &EntityKind) {
        let same = |open: &EntityKind| std::mem::discriminant(open) == std::mem::discriminant(kind);
        let Some(at) = self.tags.iter().rposition(|(_, open)| same(open)) else { return };
        match self.tags.remove(at) {
            (start, EntityKind::Link { url }) => self.close_link(start, &url),
            (start, kind) => self.page.mark(start, self.page.at(), kind),
        }
    }

    /// Formats of HTML that are open are none: their ends are in another block.
    pub(super) fn drop_tags(&mut self) {
        let links = self.tags.drain(..).filter(|(_, kind)| is_link(kind)).count();
        self.links -= links.min(self.links);
    }

    /// HTML as it was written.
    pub(super) fn html(&mut self, html: &str) {
        match html.strip_suffix('\n') {
            // The line's end is written with what follows it.
            Some(line) => {
                self.text(line);
                self.page.apart(1);
            }
            None => self.text(html),
        }
    }
}

fn is_link(kind: &EntityKind) -> bool {
    matches!(kind, EntityKind::Link { .. })
}
