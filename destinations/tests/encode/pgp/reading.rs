use herald_destinations::{
    conformance::{batch, decrypted, encryption},
    contract::Op,
    encode::pgp::{Encryption, Recipient, Signer},
    files::{Compression, FileOptions, Format},
};
use secrecy::SecretString;

use super::{
    csv, now, part,
    programs::{Gpg, Sequoia},
};

fn rows(count: usize) -> arrow::array::RecordBatch {
    batch(Op::Add, 0, count).rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recipient_reads_it_and_sees_who_signed() {
    let (gpg, sequoia, ours) = (Gpg::new(), Sequoia::new("cv25519"), Gpg::new());
    let rsa = gpg.key("partner", "rsa2048", "never", "");
    gpg.subkey(&rsa, "rsa2048", "never");
    ours.key("ours", "rsa2048", "never", "pass word");
    let mut recipients = Recipient::read("partner.asc", &gpg.public("partner", true), now()).expect("a key of gpg");
    recipients.extend(Recipient::read("other.asc", &sequoia.public(), now()).expect("a key of sq"));
    let signer =
        Signer::read("ours.asc", &ours.private("ours", "pass word"), Some(SecretString::from("pass word")), now());
    let encryption = Encryption::new(recipients, Some(signer.expect("our key")));

    let (_, plain) = part(csv(None), rows(30_000)).await;
    let (path, sealed) = part(csv(Some(encryption)), rows(30_000)).await;
    assert!(path.ends_with(".csv.pgp"), "{path}");
    assert!(!sealed.windows(10).any(|window| window == b"@example.c"), "an address can be read");

    let certificate = ours.public("ours", true);
    gpg.import(&certificate);
    let (found, said) = gpg.decrypt(&sealed);
    assert!(found == plain, "what gpg reads");
    for word in ["DECRYPTION_OKAY", "GOODMDC", "GOODSIG", "VALIDSIG"] {
        assert!(said.iter().any(|said| said == word), "{word}: {said:?}");
    }
    assert!(sequoia.decrypt(&sealed, Some(&certificate)) == plain, "what sq reads");
    assert!(!ours.opens(&sealed), "who signs is no recipient");
}

#[tokio::test]
async fn the_packets_are_those_that_gnupg_2_2_knows_and_tell_nothing_of_the_file() {
    let gpg = Gpg::new();
    gpg.key("partner", "future-default", "never", "");
    let recipients = Recipient::read("partner.gpg", &gpg.public("partner", false), now()).expect("a key");
    let options = FileOptions {
        format: Format::Ndjson,
        compression: Compression::Gzip,
        ..csv(Some(Encryption::new(recipients, None)))
    };
    let (path, sealed) = part(options.clone(), rows(5_000)).await;
    assert!(path.ends_with(".ndjson.gz.pgp"), "{path}");
    let packets = gpg.packets(&sealed);
    for wanted in
        [":pubkey enc packet: version 3, algo 18", ":encrypted data packet:", "mdc_method: 2", "created 0, name=\"\""]
    {
        assert!(packets.contains(wanted), "{wanted} in {packets}");
    }
    assert!(!packets.contains(":compressed packet:"), "it is compressed before: {packets}");
    let (_, again) = part(options, rows(5_000)).await;
    assert_ne!(sealed, again, "a session key serves once");
    let (gzip, _) = gpg.decrypt(&sealed);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(gzip.as_slice()), &mut text).expect("gzip");
    assert_eq!(text.lines().count(), 5_000);
}

#[tokio::test]
async fn a_signing_subkey_of_sequoia_signs_for_itself() {
    let sequoia = Sequoia::new("cv25519");
    let recipients = Recipient::read("key", &sequoia.public(), now()).expect("a key");
    let signer = Signer::read("key", &sequoia.private(), None, now()).expect("a key without a passphrase");
    let (_, plain) = part(csv(None), rows(100)).await;
    let (_, sealed) = part(csv(Some(Encryption::new(recipients, Some(signer)))), rows(100)).await;
    assert!(sequoia.decrypt(&sealed, Some(&sequoia.public())) == plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_any_size_read_back() {
    for count in [0, 1, 700, 200_000] {
        let (_, plain) = part(csv(None), rows(count)).await;
        let (_, sealed) = part(csv(Some(encryption())), rows(count)).await;
        assert!(decrypted(&sealed) == plain, "{count} rows");
    }
}

#[tokio::test]
async fn a_part_that_is_cut_or_changed_is_no_message() {
    let gpg = Gpg::new();
    gpg.key("partner", "future-default", "never", "");
    let recipients = Recipient::read("partner", &gpg.public("partner", true), now()).expect("a key");
    let (_, sealed) = part(csv(Some(Encryption::new(recipients, None))), rows(2_000)).await;
    assert!(gpg.opens(&sealed));
    assert!(!gpg.opens(&sealed[..sealed.len() - 5]), "the end is missing");
    let mut changed = sealed.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(!gpg.opens(&changed), "a bit is another");
}
