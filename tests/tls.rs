//! What a real OpenSSL server may show that is not to be trusted: each is refused before a byte of the
//! request is sent, with a message that says which it is and what to do.

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use evrim::{Client, Error, Options, Status};
use support::c;

/// No OpenSSL, no test; CI has it. It has a version, but not "--version".
fn has_openssl() -> bool {
    c::has("openssl")
}

/// A folder with an authority of its own, and what it has signed.
struct Authority {
    folder: PathBuf,
}

/// What is particular about a certificate.
#[derive(Clone, Copy)]
struct Certificate {
    name: &'static str,
    /// The host it is for.
    san: &'static str,
    begins: &'static str,
    ends: &'static str,
    key: &'static str,
    usage: &'static str,
    more: &'static str,
}

const GOOD: Certificate = Certificate {
    name: "good",
    san: "IP:127.0.0.1",
    begins: "20200101000000Z",
    ends: "20900101000000Z",
    key: "rsa:2048",
    usage: "serverAuth, clientAuth",
    more: "",
};

impl Authority {
    fn new(name: &str) -> Authority {
        let folder = c::scratch(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("new")).expect("a folder");
        let authority = Authority { folder };
        authority.write("index", "");
        authority.write("number", "01");
        authority.write(
            "config",
            "[ca]\ndefault_ca = own\n[own]\ndatabase = index\nnew_certs_dir = new\nrand_serial = yes\n\
             certificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\npolicy = any\n\
             default_crl_days = 30\ncrlnumber = number\ncrl_extensions = list\ncopy_extensions = none\n\
             [any]\ncommonName = supplied\n[req]\ndistinguished_name = name\n[name]\n\
             [list]\nauthorityKeyIdentifier = keyid:always\n",
        );
        authority.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -config config -subj /CN={name} -days 3650 \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
             -keyout ca.key -out ca.pem"
        ));
        authority
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).expect("written");
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace());
        let output = command.current_dir(&self.folder).output();
        c::assert_success(&output.expect("openssl runs"));
    }

    fn issue(&self, certificate: Certificate) -> Certificate {
        let Certificate {
            name,
            san,
            begins,
            ends,
            key,
            usage,
            more,
        } = certificate;
        self.write(
            &format!("{name}.ext"),
            &format!("subjectAltName = {san}\nextendedKeyUsage = {usage}\n{more}\n"),
        );
        self.openssl(&format!(
            "req -newkey {key} -nodes -config config -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "ca -batch -notext -config config -in {name}.csr -out {name}.pem -extfile {name}.ext \
             -startdate {begins} -enddate {ends}"
        ));
        certificate
    }
}

/// `openssl s_server` with one certificate; it answers each request with a page.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(authority: &Authority, certificate: &str, arguments: &str) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["-cert", &format!("{certificate}.pem")])
            .args(["-key", &format!("{certificate}.key")])
            .args(arguments.split_whitespace())
            .current_dir(&authority.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let server = Server { child, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no server");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn get(&self, ca: &Path, identity: Option<(&Path, &Path)>) -> Result<u16, Error> {
        let mut options = trusting(ca);
        if let Some((certificate, key)) = identity {
            options
                .set_client_certificate(certificate, key)
                .expect("a certificate");
        }
        self.get_with(options)
    }

    fn get_with(&self, options: Options) -> Result<u16, Error> {
        let url = format!("https://127.0.0.1:{}/prod", self.port);
        let client = Client::from_token(&url, "token", None, options).expect("a client");
        Ok(client.request("GET", "x/", None)?.status())
    }
}

fn trusting(ca: &Path) -> Options {
    let mut options = Options::default();
    options.set_validate_on_start(false);
    options.set_retries(0).expect("an option");
    options.set_ca_file(ca).expect("an authority");
    options
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is said, and what to do about it.
fn refused(result: Result<u16, Error>, says: [&str; 2]) {
    let error = result.expect_err("refused");
    println!("{error}");
    assert_eq!(error.status(), Status::Tls, "{error}");
    assert!(!error.is_retryable(), "{error}");
    for part in says {
        assert!(error.message().contains(part), "{part:?}: {error}");
    }
}

#[test]
fn certificates_that_are_not_to_be_trusted_are_refused_and_each_is_named() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("authority");
    let ca = authority.path("ca.pem");
    let named = "evrim_options_set_ca_file";
    let of = |certificate: Certificate, says: [&str; 2]| {
        authority.issue(certificate);
        // OpenSSL has its own objections to weak keys.
        let any = "-cipher DEFAULT@SECLEVEL=0";
        let error = Server::start(&authority, certificate.name, any).get(&ca, None);
        let not_sent = error
            .as_ref()
            .is_err_and(|error| !error.may_have_been_sent());
        assert!(not_sent, "{}", certificate.name);
        refused(error, says);
    };

    authority.issue(GOOD);
    let good = Server::start(&authority, "good", "");
    assert_eq!(good.get(&ca, None).expect("trusted"), 200);

    let expired = Certificate {
        name: "expired",
        ends: "20210101000000Z",
        ..GOOD
    };
    of(
        expired,
        ["certificate expired", "the server needs a new one"],
    );
    let early = Certificate {
        name: "early",
        begins: "20800101000000Z",
        ..GOOD
    };
    of(early, ["not valid yet", "check this machine's clock"]);
    let elsewhere = Certificate {
        name: "elsewhere",
        san: "DNS:elsewhere.example",
        ..GOOD
    };
    of(
        elsewhere,
        ["elsewhere.example", "check the host in the URL"],
    );
    let weak = Certificate {
        name: "weak",
        key: "rsa:1024",
        ..GOOD
    };
    of(weak, ["no secure connection", ";"]);
    let for_mail = Certificate {
        name: "for-mail",
        usage: "emailProtection",
        ..GOOD
    };
    of(for_mail, ["no secure connection", ";"]);

    authority.openssl(
        "req -x509 -newkey rsa:2048 -nodes -config config -subj /CN=itself -days 30 \
         -addext subjectAltName=IP:127.0.0.1 -keyout itself.key -out itself.pem",
    );
    let itself = Server::start(&authority, "itself", "").get(&ca, None);
    refused(itself, ["UnknownIssuer", named]);

    let another = Authority::new("another");
    another.issue(GOOD);
    let unknown = Server::start(&another, "good", "").get(&ca, None);
    refused(unknown, ["UnknownIssuer", named]);
}

/// A certificate that its authority has taken back, and says so wherever it can: in its list, and by OCSP,
/// stapled to the handshake, which the certificate demands.
fn revoked(name: &str) -> Authority {
    let authority = Authority::new(name);
    authority.issue(GOOD);
    authority.issue(Certificate {
        name: "revoked",
        more: "crlDistributionPoints = URI:http://127.0.0.1:9/crl\nauthorityInfoAccess = \
               OCSP;URI:http://127.0.0.1:9/ocsp\ntlsfeature = status_request",
        ..GOOD
    });
    authority.openssl("ca -config config -revoke revoked.pem");
    authority.openssl("ca -config config -gencrl -out crl.pem");
    authority.openssl(
        "ocsp -index index -rsigner ca.pem -rkey ca.key -CA ca.pem -issuer ca.pem -cert revoked.pem \
         -respout staple -ndays 7",
    );
    authority
}

#[test]
fn a_certificate_that_was_revoked_is_refused_by_its_authoritys_list() {
    if !has_openssl() {
        return;
    }
    let authority = revoked("revoking");
    let with = |list: &Path| {
        let mut options = trusting(&authority.path("ca.pem"));
        options.set_crl_file(list).expect("a list");
        options
    };
    let list = authority.path("crl.pem");
    let server = Server::start(&authority, "revoked", "");
    let error = server.get_with(with(&list));
    let not_sent = error
        .as_ref()
        .is_err_and(|error| !error.may_have_been_sent());
    assert!(not_sent);
    refused(
        error,
        ["certificate: Revoked", "its authority has taken it back"],
    );
    let good = Server::start(&authority, "good", "");
    assert_eq!(good.get_with(with(&list)).expect("not on the list"), 200);

    // Without the right list, or with an old one, nobody can know.
    let other = revoked("another-revoking");
    let unknown = good.get_with(with(&other.path("crl.pem")));
    refused(
        unknown,
        ["UnknownRevocationStatus", "the list of its authority"],
    );
    authority.openssl(
        "ca -config config -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -out old.pem",
    );
    let old = good.get_with(with(&authority.path("old.pem")));
    refused(old, ["expired", "get the authority's newest"]);

    // Several lists in one file; and one whose signature is another's.
    let both = [&list, &other.path("crl.pem")].map(|list| fs::read(list).expect("a list"));
    fs::write(authority.path("both.pem"), both.concat()).expect("written");
    let both = good.get_with(with(&authority.path("both.pem")));
    assert_eq!(both.expect("not on the lists"), 200);
    let namesake = revoked("revoking-too");
    namesake.openssl(
        "req -x509 -key ca.key -config config -subj /CN=revoking -addext subjectKeyIdentifier=hash -out ca.pem",
    );
    namesake.openssl("ca -config config -gencrl -out crl.pem");
    let forged = good.get_with(with(&namesake.path("crl.pem")));
    refused(
        forged,
        ["BadSignature", "is not what its authority has signed"],
    );
}

/// Without lists revocation is not looked at, and the header says so: neither what the certificate points
/// to nor OCSP, stapled or not, nor the demand for a staple.
#[test]
fn without_lists_a_certificate_that_was_revoked_is_taken() {
    if !has_openssl() {
        return;
    }
    let authority = revoked("silent");
    let ca = authority.path("ca.pem");
    for arguments in ["", "-status_file staple"] {
        let server = Server::start(&authority, "revoked", arguments);
        assert_eq!(server.get(&ca, None).expect("taken"), 200);
    }
    let header = fs::read_to_string(c::root().join("include/evrim.h")).expect("the header");
    let text = header.replace("\n * ", " ");
    assert!(text.contains("By default no certificate counts as revoked; OCSP is never asked."));
}

#[test]
fn an_old_version_of_tls_is_refused() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("old");
    authority.issue(GOOD);
    let ca = authority.path("ca.pem");
    for version in ["-tls1_1", "-tls1"] {
        let old = format!("{version} -cipher DEFAULT@SECLEVEL=0");
        let server = Server::start(&authority, "good", &old);
        refused(
            server.get(&ca, None),
            ["ProtocolVersion", "TLS 1.2 or later"],
        );
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(&authority, "good", version);
        assert_eq!(server.get(&ca, None).expect("new enough"), 200);
    }
}

#[test]
fn a_client_certificate_that_is_missing_or_another_authoritys_is_named() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new("asking");
    authority.issue(GOOD);
    let stranger = Authority::new("stranger");
    stranger.issue(GOOD);
    let ca = authority.path("ca.pem");
    let pair = |authority: &Authority| (authority.path("good.pem"), authority.path("good.key"));
    let (own, own_key) = pair(&authority);
    let (strange, strange_key) = pair(&stranger);
    for version in ["-tls1_2", "-tls1_3"] {
        let asks = format!("{version} -Verify 2 -verify_return_error -CAfile ca.pem");
        let server = Server::start(&authority, "good", &asks);
        let own = server.get(&ca, Some((&own, &own_key)));
        assert_eq!(own.expect("known"), 200, "{version}");
        let named = "evrim_options_set_client_certificate";
        refused(server.get(&ca, None), ["alert", named]);
        let strange = server.get(&ca, Some((&strange, &strange_key)));
        refused(strange, ["alert", named]);
    }
}
