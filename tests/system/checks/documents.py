"""Documents under the unit's hardening: each is read by a process of its own, whatever is in it."""

import io
import json
import zipfile

from stage import CONFIG

FOLDER = "/srv/handbook"
PDFTOTEXT = "/usr/bin/pdftotext"
WORDS = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body></w:document>'
NAMED = "<w:p><w:r><w:t>The walrus of the harbour sleeps at noon.</w:t></w:r></w:p>"


def documents_are_read_under_the_hardened_unit(stage):
    machine = stage.machine
    folder = machine.root / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    put = lambda name, what: (folder / name).write_bytes(what)
    put("menu.pdf", pdf("The pelican of the harbour eats at seven."))
    put("walrus.docx", docx(WORDS.format(NAMED)))
    # 200 MB of blanks in 200 kB.
    put("bomb.docx", docx(WORDS.format(" " * (200 << 20))))
    put("torn.pdf", pdf("The heron of the harbour.")[:200])
    machine.say(f"chmod -R o+rX {FOLDER}")
    plain = f'[telegram]\napi_url = "{stage.sim("bot")}"\n'
    machine.put(CONFIG, plain + f'[knowledge]\ndir = "{FOLDER}"\n')
    machine.say("systemctl restart katana-bot")
    stage.is_active()
    read = lambda: said(machine, "status")["total"]
    machine.until("the look", lambda: read() == {"documents": 4, "unreadable": 2, "passages": 2}, within=90)
    assert found(machine, "When does the pelican eat?") == ["menu.pdf"]
    assert found(machine, "When does the walrus sleep?") == ["walrus.docx"]
    reasons = {one["document"]: one["text"] for one in said(machine, "status")["unreadable"]}
    assert set(reasons) == {"documents/bomb.docx", "documents/torn.pdf"} and all(reasons.values()), reasons
    assert "unpacked" in reasons["documents/bomb.docx"], reasons
    stage.is_active()
    if machine.run(f"test -e {PDFTOTEXT}").returncode == 0:
        by_pdftotext(stage, put)
    machine.put(CONFIG, plain)
    machine.say(f"systemctl restart katana-bot && rm -r {FOLDER}")
    stage.is_active()


def by_pdftotext(stage, put):
    """The unit lets pdftotext run: in its place, echo says what it was called with."""
    machine = stage.machine
    machine.say(f"mv {PDFTOTEXT} {PDFTOTEXT}.kept && cp /usr/bin/echo {PDFTOTEXT}")
    try:
        machine.say("systemctl restart katana-bot")
        stage.is_active()
        put("echo.pdf", pdf("The pelican is not in here."))
        machine.say(f"chmod o+r {FOLDER}/echo.pdf")
        machine.until("the echo", lambda: "echo.pdf" in found(machine, "q enc UTF-8"), within=90)
    finally:
        machine.say(f"mv {PDFTOTEXT}.kept {PDFTOTEXT}")


def said(machine, words):
    done = machine.say(f"katana-bot knowledge {words} --json")
    return json.loads(done)


def found(machine, question):
    """The documents of the passages that a question finds."""
    return [passage["path"] for passage in said(machine, f"search '{question}'")["passages"]]


def docx(document):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", document)
    return file.getvalue()


def pdf(words):
    """A PDF of one page with these words."""
    shown = f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(text))
    return text + head + table + end
