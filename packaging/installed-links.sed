# Links of README.md and docs/*.md, as they lead somewhere in /usr/share/doc/katana-bot: there is one folder for
# all pages, the list of changes is compressed, and the man pages and licences have places of their own.
s#](\(docs/\)\{0,1\}man/)#](../../man/man8/)#g
# Pictures are for readers on the web.
/^<picture>/,/^<\/picture>/d
s#](docs/\([^)]*\))#](\1)#g
s#](\.\./README\.md#](README.md#g
s#](\(\.\./\)\{0,1\}CHANGELOG\.md[^)]*)#](changelog.gz)#g
s#](LICENSE-\(APACHE\|MIT\))#](copyright)#g
