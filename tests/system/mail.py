"""A real mail server on the machine: postfix, which takes mail only encrypted and after a login."""

import email
import email.policy

USER = "katana@mail.test"
PASSWORD = "SYSTEM-test-password-of-the-mail-account"
TO = "ops@mail.test"
AUTHORITY = "/usr/local/share/ca-certificates/katana-test.crt"

# Its certificate is for "localhost", by an authority that the system trusts as it does any other.
CERTIFICATE = f"""set -e; cd /etc/postfix
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc'
openssl req -x509 $key -days 2 -subj '/CN=Authority of the tests' -keyout ca.key -out {AUTHORITY}
openssl req $key -subj /CN=localhost -keyout tls.key -out tls.csr
echo subjectAltName=DNS:localhost > tls.ext
openssl x509 -req -in tls.csr -days 2 -extfile tls.ext -CA {AUTHORITY} -CAkey ca.key -out tls.pem
update-ca-certificates"""

SETTINGS = """myhostname=mail.test
mydestination=mail.test
inet_interfaces=loopback-only
home_mailbox=Maildir/
smtpd_tls_cert_file=/etc/postfix/tls.pem
smtpd_tls_key_file=/etc/postfix/tls.key
smtpd_sasl_local_domain=mail.test
smtpd_sasl_authenticated_header=yes
smtpd_recipient_restrictions=permit_sasl_authenticated,reject"""

LOGIN = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n"

# The port for programs that hand in mail: STARTTLS, then AUTH, or nothing.
SUBMISSION = """submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
"""


class MailServer:
    """One account to send from, and one mailbox. It belongs to the machine, not to the package."""

    def __init__(self, machine):
        self.machine = machine
        self.new = machine.root / "home/ops/Maildir/new"
        machine.say(CERTIFICATE)
        machine.put("/etc/postfix/sasl/smtpd.conf", LOGIN)
        account = "saslpasswd2 -p -c -u mail.test katana && chown postfix /etc/sasldb2"
        machine.say(f"printf %s '{PASSWORD}' | {account}")
        machine.say("useradd -m ops && newaliases")
        machine.say("postconf " + " ".join(f"'{line}'" for line in SETTINGS.splitlines()))
        master = (machine.root / "etc/postfix/master.cf").read_text()
        machine.put("/etc/postfix/master.cf", master + SUBMISSION)
        machine.say("systemctl restart postfix")

    def all(self):
        """Every mail in the mailbox, oldest first."""
        if not self.new.is_dir():
            return []
        files = sorted(self.new.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        read = lambda file: email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        return [read(file) for file in files]
