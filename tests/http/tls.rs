//! The API over TLS, with a certificate as operators make it.

use std::{path::Path, process::Command};

use herald::http::{Hub, Scrape, Server, serve};
use reqwest::{Certificate, Client};

use super::{READER, Site, home, with};
use crate::service::until;

/// A certificate for `localhost` and its key, made by the command line of OpenSSL.
pub(super) fn certificate(folder: &Path) -> Vec<u8> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-out".as_ref(), cert.as_os_str(), "-keyout".as_ref(), key.as_os_str()])
        .output()
        .expect("openssl is there: see tests/setup.sh");
    assert!(made.status.success(), "{made:?}");
    std::fs::read(cert).unwrap()
}

fn trusting(certificate: &[u8]) -> Client {
    crate::servers::tls();
    let certificate = Certificate::from_pem(certificate).unwrap();
    Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_used_and_another_one_taken_up_while_the_service_runs() {
    let config = with(", tls: { cert: ./cert.pem, key: ./key.pem }", &[("a", "target: out")]);
    let home = home(&config);
    let first = certificate(&home.path(""));
    let mut site = Site::idle(home).await;
    (site.scheme, site.client) = ("https", trusting(&first));
    assert_eq!(site.get("/v1/activations").await.status, 200);
    let login = format!("{{\"token\":\"{READER}\"}}");
    let session = site.send("POST", "/login", &[("content-type", "application/json")], Some(&login)).await;
    assert!(session.header("set-cookie").contains("; Secure"), "{session:?}");
    let plain = super::client().get(format!("http://{}/healthz", site.address)).send().await;
    assert!(plain.is_err(), "nothing is answered in the clear: {plain:?}");

    let second = certificate(&site.home.path(""));
    until("the other certificate is in use", async || {
        let url = format!("https://{}/healthz", site.address);
        trusting(&second).get(url).send().await.ok().filter(|answer| answer.status() == 200)
    })
    .await;
    std::fs::write(site.home.path("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    site.client = trusting(&second);
    assert_eq!(site.get("/healthz").await.status, 200, "the one in use stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_none_is_told_by_its_place_and_not_quoted() {
    let config = with(", tls: { cert: ./cert.pem, key: ./key.pem }", &[("a", "target: out")]);
    let home = home(&config);
    certificate(&home.path(""));
    std::fs::write(home.path("key.pem"), "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n").unwrap();
    let live = crate::service::Live::idle(&home).await;
    let server = Server::new(live.control.clone(), Hub::new(), Scrape::new(String::new), live.stop.clone()).unwrap();
    let failure = serve(server).await.unwrap_err();
    assert_eq!(failure.code, "listen");
    assert!(
        failure.message.contains("service.http.tls.key") && !format!("{failure:?}").contains("canary"),
        "{failure:?}"
    );
}
