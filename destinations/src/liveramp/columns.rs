//! LiveRamp's headers, and what stands below each.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hash::Algorithm;

/// Whose rules a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The United States.
    Us,
    /// Europe.
    Eu,
}

/// What stands in a column of identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A name or a part of an address, which must never be hashed.
    Postal,
    /// An e-mail address.
    Email,
    /// The hash of one.
    EmailHash(Algorithm),
    /// A phone number.
    Phone,
    /// The SHA-1 of one.
    PhoneHash,
    /// A device's advertising id.
    Device(Device),
    /// The SHA-1 of one.
    DeviceHash(Device),
}

/// Whose advertising id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// Google's, written in lower case.
    Android,
    /// Apple's, written in upper case.
    Apple,
}

/// Identifiers of one sort alone may stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Who a person is known by.
    Known,
    /// What a device is known by.
    Pseudonymous,
}

impl Family {
    /// As it stands in a file's name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Known => "PII",
            Self::Pseudonymous => "MAID",
        }
    }
}

impl Content {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Device(_) | Self::DeviceHash(_) => Family::Pseudonymous,
            _ => Family::Known,
        }
    }

    pub(super) const fn device(self) -> Option<Device> {
        match self {
            Self::Device(device) | Self::DeviceHash(device) => Some(device),
            _ => None,
        }
    }
}

use Algorithm::{Md5, Sha1, Sha256};
use Content::{Device as Id, DeviceHash, Email, EmailHash, Phone, PhoneHash, Postal};

/// The set of headers for the United States. Phone numbers may be hashed, by SHA-1 alone.
const US: [(&str, Content); 24] = [
    ("FIRSTNAME", Postal),
    ("LASTNAME", Postal),
    ("ADDRESS1", Postal),
    ("ADDRESS2", Postal),
    ("CITY", Postal),
    ("STATE", Postal),
    ("ZIP", Postal),
    ("ZIP4", Postal),
    ("EMAIL1", Email),
    ("EMAIL2", Email),
    ("EMAIL3", Email),
    ("PHONE1", Phone),
    ("PHONE2", Phone),
    ("EMAIL1_SHA-256", EmailHash(Sha256)),
    ("EMAIL2_SHA-256", EmailHash(Sha256)),
    ("EMAIL3_SHA-256", EmailHash(Sha256)),
    ("EMAIL1_SHA-1", EmailHash(Sha1)),
    ("EMAIL2_SHA-1", EmailHash(Sha1)),
    ("EMAIL3_SHA-1", EmailHash(Sha1)),
    ("EMAIL1_MD5", EmailHash(Md5)),
    ("EMAIL2_MD5", EmailHash(Md5)),
    ("EMAIL3_MD5", EmailHash(Md5)),
    ("PHONE1_SHA-1", PhoneHash),
    ("PHONE2_SHA-1", PhoneHash),
];

/// The set for Europe, where no phone number may be hashed.
const EU: [(&str, Content); 22] = [
    ("FIRSTNAME", Postal),
    ("LASTNAME", Postal),
    ("ADDRESS1", Postal),
    ("ADDRESS2", Postal),
    ("TOWN", Postal),
    ("COUNTY", Postal),
    ("POSTCODE", Postal),
    ("EMAIL1", Email),
    ("EMAIL2", Email),
    ("EMAIL3", Email),
    ("MOBILE1", Phone),
    ("MOBILE2", Phone),
    ("LANDLINE1", Phone),
    ("MD5EMAIL1", EmailHash(Md5)),
    ("MD5EMAIL2", EmailHash(Md5)),
    ("MD5EMAIL3", EmailHash(Md5)),
    ("SHA1EMAIL1", EmailHash(Sha1)),
    ("SHA1EMAIL2", EmailHash(Sha1)),
    ("SHA1EMAIL3", EmailHash(Sha1)),
    ("SHA256EMAIL1", EmailHash(Sha256)),
    ("SHA256EMAIL2", EmailHash(Sha256)),
    ("SHA256EMAIL3", EmailHash(Sha256)),
];

/// Ids of devices, which have files of their own in both regions.
const DEVICES: [(&str, Content); 4] = [
    ("AAID", Id(Device::Android)),
    ("IDFA", Id(Device::Apple)),
    ("AAID_SHA-1", DeviceHash(Device::Android)),
    ("IDFA_SHA-1", DeviceHash(Device::Apple)),
];

impl Region {
    /// The word in a config.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Us => Self::Eu,
            Self::Eu => Self::Us,
        }
    }

    /// The first column where the config names no other.
    pub(super) const fn usual_key(self) -> &'static str {
        match self {
            Self::Us => "CCID",
            Self::Eu => "CustomerID",
        }
    }

    /// Most characters of a row.
    pub(super) const fn row_limit(self) -> usize {
        match self {
            Self::Us => 10_000,
            Self::Eu => 1_000,
        }
    }

    fn known(self) -> impl Iterator<Item = &'static (&'static str, Content)> {
        let own: &'static [(&'static str, Content)] = match self {
            Self::Us => &US,
            Self::Eu => &EU,
        };
        own.iter().chain(&DEVICES)
    }

    /// All headers of identifiers.
    pub(super) fn headers(self) -> impl Iterator<Item = &'static str> {
        self.known().map(|(header, _)| *header)
    }

    /// What stands below a header; `None`: it is not one of identifiers.
    pub(super) fn content(self, header: &str) -> Option<Content> {
        self.known().find(|(known, _)| *known == header).map(|(_, content)| *content)
    }

    /// The last header that a postal address needs to be of use.
    pub(super) const fn postcode(self) -> &'static str {
        match self {
            Self::Us => "ZIP",
            Self::Eu => "POSTCODE",
        }
    }
}

/// What identifiers are called, without numbers and hashes.
const STEMS: [&str; 12] = [
    "EMAIL",
    "PHONE",
    "MOBILE",
    "LANDLINE",
    "FIRSTNAME",
    "LASTNAME",
    "ADDRESS",
    "ZIP",
    "POSTCODE",
    "MAID",
    "AAID",
    "IDFA",
];

/// Whether a header that is none of LiveRamp's looks like one: `email`, `Phone_1`, `EMAIL1_SHA256`. As a segment field
/// it would hand over people's addresses as mere values.
pub(super) fn looks_like_an_identifier(header: &str) -> bool {
    let mut rest: String = header.chars().filter(char::is_ascii_alphanumeric).collect();
    rest.make_ascii_uppercase();
    for hash in ["SHA256", "SHA1", "MD5", "HASHED", "HASH"] {
        rest = rest.replace(hash, "");
    }
    rest.retain(|char| !char.is_ascii_digit());
    STEMS.iter().any(|stem| rest.strip_prefix(stem).is_some_and(|end| matches!(end, "" | "S" | "ES")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_differ_by_region() {
        assert_eq!(Region::Us.content("STATE"), Some(Postal));
        assert_eq!(Region::Eu.content("STATE"), None);
        assert_eq!(Region::Eu.content("SHA1EMAIL2"), Some(EmailHash(Sha1)));
        assert_eq!(Region::Us.content("PHONE1_SHA-1"), Some(PhoneHash));
        assert!(Region::Eu.known().all(|(_, content)| *content != PhoneHash), "no hashed phone in Europe");
        assert_eq!(Region::Us.content("IDFA").map(Content::family), Some(Family::Pseudonymous));
    }

    #[test]
    fn what_looks_like_an_identifier_is_told_from_segment_fields() {
        for header in
            ["email", "EMAIL4", "Phone_1", "EMAIL1_SHA256", "sha256_email", "Emails", "ADDRESS", "hashed_maid"]
        {
            assert!(looks_like_an_identifier(header), "{header}");
        }
        for header in ["EMAIL_OPENS", "GOLD", "SPEND_90D", "MOBILE_APP", "ADDRESSABLE", "ZIPPER", ""] {
            assert!(!looks_like_an_identifier(header), "{header}");
        }
    }
}
