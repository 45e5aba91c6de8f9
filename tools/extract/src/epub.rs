//! Books: web pages in a zip archive, in the order that the package file names.
//!
//! Invariant: only parts that the reading order names are read, each once.

use std::collections::{HashMap, HashSet};

use crate::archive::Archive;
use crate::decode;
use crate::document::{Block, Document};
use crate::html;
use crate::limits::{Limits, Problem};
use crate::writer::Writer;
use crate::xml::{self, Happening};

/// Where the package file is named.
const CONTAINER: &str = "META-INF/container.xml";

/// Where encrypted parts are named.
const ENCRYPTION: &str = "META-INF/encryption.xml";

/// Reads a book.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, Problem> {
    let mut archive = Archive::open(bytes, "a book (.epub)", limits)?;
    let container = archive.part(CONTAINER)?;
    let package = attributes(&decode::xml(&container), "rootfile", "full-path", limits)?;
    let package = package.into_iter().next().ok_or(Problem::Damaged("it names no package file"))?;
    let opf = archive.part(&package)?;
    let opf = decode::xml(&opf);
    let encrypted = match archive.optional(ENCRYPTION)? {
        Some(list) => attributes(&decode::xml(&list), "CipherReference", "URI", limits)?,
        None => Vec::new(),
    };
    let mut writer = Writer::new(limits);
    writer.title(&xml::text_of(&opf, "title", limits).unwrap_or_default());
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut left = *limits;
    for href in spine(&opf, limits)? {
        let name = resolved(folder, &href);
        if encrypted.contains(&name) {
            return Err(Problem::Encrypted);
        }
        let Some(page) = archive.optional(&name)? else {
            writer.remark("a chapter that its table of contents names is missing");
            continue;
        };
        let page = html::read(&decode::html(&page)?, &left)?;
        left.text =
            left.text.saturating_sub(page.blocks.iter().map(|block| block.size() + 16).sum());
        chapter(&mut writer, page);
        if writer.is_full() {
            break;
        }
    }
    Ok(writer.finish())
}

/// Adds a page of the book; identifiers in it lead nowhere outside of the book.
fn chapter(writer: &mut Writer, page: Document) {
    for block in page.blocks {
        match block {
            Block::Heading { level, text, .. } => writer.heading(level, &text, None),
            Block::Text(text) => writer.text(&text),
            Block::Table(table) => writer.table(&table),
            Block::Code(code) => writer.code(&code),
            Block::Page(_) => {}
        }
    }
}

/// Addresses of the pages in reading order, each once.
fn spine(opf: &str, limits: &Limits) -> Result<Vec<String>, Problem> {
    let (mut items, mut order) = (HashMap::new(), Vec::new());
    xml::read(opf, limits, |happening| {
        if let Happening::Start(element) = happening {
            match element.name() {
                "item" => {
                    let kind = element.attribute("media-type").unwrap_or_default();
                    let is_contents = element
                        .attribute("properties")
                        .is_some_and(|p| p.split(' ').any(|p| p == "nav"));
                    if let (Some(id), Some(href)) =
                        (element.attribute("id"), element.attribute("href"))
                        && kind.contains("html")
                        && !is_contents
                    {
                        items.insert(id, href);
                    }
                }
                "itemref" => order.extend(element.attribute("idref")),
                _ => {}
            }
        }
        Ok(())
    })?;
    let mut seen = HashSet::new();
    Ok(order
        .into_iter()
        .filter_map(|id| items.get(&id))
        .filter(|href| seen.insert((*href).clone()))
        .cloned()
        .collect())
}

/// The values of one attribute of all elements of one name.
fn attributes(
    text: &str,
    name: &str,
    attribute: &str,
    limits: &Limits,
) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    xml::read(text, limits, |happening| {
        if let Happening::Start(element) = happening
            && element.name() == name
        {
            found.extend(element.attribute(attribute));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The name of a part that an address beside the package file leads to.
fn resolved(folder: &str, href: &str) -> String {
    let path = href.split(['#', '?']).next().unwrap_or_default();
    let path = decoded(path);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Without percent signs.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
