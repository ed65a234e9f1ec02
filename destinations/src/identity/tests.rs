use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, LargeStringArray, StringArray, StringViewArray};
use proptest::arbitrary::any;
use proptest::{prop_assert_eq, proptest};

use super::{
    IdentityError, PhoneRegion, Text, normalize_email, normalize_name, normalize_phone, sha256_email, sha256_hex,
    sha256_phone,
};

fn one(kernel: fn(Text<'_>) -> Result<StringArray, IdentityError>, text: &str) -> Option<String> {
    let column = StringArray::from(vec![text]);
    let result = kernel(Text::Utf8(&column)).unwrap();
    assert_eq!(result.len(), 1);
    result.is_valid(0).then(|| result.value(0).to_owned())
}

fn email(text: &str) -> Option<String> {
    one(normalize_email, text)
}

fn name(text: &str) -> Option<String> {
    one(normalize_name, text)
}

fn phone(text: &str, region: Option<&str>) -> Option<String> {
    let column = StringArray::from(vec![text]);
    let result = normalize_phone(Text::Utf8(&column), PhoneRegion::Same(region)).unwrap();
    result.is_valid(0).then(|| result.value(0).to_owned())
}

#[test]
fn emails_are_trimmed_and_lowered() {
    for (text, expected) in [
        ("alexz@example.com", "alexz@example.com"),
        ("  alexz@EXAMPLE.com   ", "alexz@example.com"),
        ("\u{a0}a@b.com\u{a0}", "a@b.com"),
        ("\u{3000}A@b.com\r\n", "a@b.com"),
        ("\u{feff}a@b.com\u{200b}", "a@b.com"),
        ("user.name+NYC@Example.com", "user.name+nyc@example.com"),
        // Gmail's dots are the business of the platforms that drop them.
        ("Jefferson.Loves.hiking@gmail.com", "jefferson.loves.hiking@gmail.com"),
        ("JÖRG@BÜCHER.example", "jörg@bücher.example"),
        ("İ@example.com", "i\u{307}@example.com"),
        ("ΟΔΥΣΣΕΥΣ@example.gr", "οδυσσευς@example.gr"),
        ("a@b.c", "a@b.c"),
        ("o'brien!#$%&@a-b.c1", "o'brien!#$%&@a-b.c1"),
    ] {
        assert_eq!(email(text).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn what_has_not_the_shape_of_an_email_is_null() {
    for text in [
        "",
        " ",
        "\t\n",
        "a",
        "@",
        "a@",
        "@b.c",
        " @googlemail.com",
        "a@b",
        "a@b@c.d",
        "a@b.c@",
        "a@@b.c",
        "a@.c",
        "a@b.",
        "a@b..c",
        "a@.",
        "a b@c.d",
        "a@b c.d",
        "a@b\u{a0}.c",
        "a\u{200b}b@c.d",
        "a\0@b.c",
        "a@b\u{7f}.c",
        "ä\u{85}@b.c",
        "a@b。c",
    ] {
        assert_eq!(email(text), None, "{text:?}");
        assert_eq!(one(sha256_email, text), None, "{text:?}");
    }
}

#[test]
fn names_are_trimmed_lowered_and_single_spaced() {
    for (text, expected) in [
        ("  GivenName  ", "givenname"),
        (" Mary-Jane ", "mary-jane"),
        ("O'Brien", "o'brien"),
        ("Valéry", "valéry"),
        ("정", "정"),
        ("van\u{a0} \tder   BERG", "van der berg"),
        ("ΣΊΣΥΦΟΣ Σ", "σίσυφος σ"),
        ("A", "a"),
    ] {
        assert_eq!(name(text).as_deref(), Some(expected), "{text:?}");
    }
    for text in ["", "  ", "\u{3000}\u{200b}"] {
        assert_eq!(name(text), None, "{text:?}");
    }
}

#[test]
fn digests_equal_those_that_vendors_print() {
    for (text, expected) in [
        ("abc@example.com", "9eceb13483d7f187ec014fd6d4854d1420cfc634328af85f51d0323ba8622e21"),
        (" ABC@Example.COM\n", "9eceb13483d7f187ec014fd6d4854d1420cfc634328af85f51d0323ba8622e21"),
        ("  alexz@EXAMPLE.com   ", "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a"),
        ("QuinnY@EXAMPLE.com", "d00d0a7c6d491b3782fd78b410748048859e16467faa0651f060978d4bb343cc"),
    ] {
        assert_eq!(one(sha256_email, text).as_deref(), Some(expected), "{text:?}");
    }
    // The standard's own vectors: nothing, one block, two blocks.
    for (text, expected) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ] {
        assert_eq!(one(sha256_hex, text).as_deref(), Some(expected), "{text:?}");
    }
    let number = StringArray::from(vec!["1-800-555-0100   "]);
    let digest = sha256_phone(Text::Utf8(&number), PhoneRegion::Same(Some("US"))).unwrap();
    assert_eq!(digest.value(0), "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30");
}

#[test]
fn every_layout_gives_the_same_and_keeps_nulls() {
    let texts = vec![Some(" A@b.com"), None, Some("none"), Some("somebody.longer@Example.com"), None];
    let layouts: [ArrayRef; 3] = [
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts)),
    ];
    let expected = StringArray::from(vec![Some("a@b.com"), None, None, Some("somebody.longer@example.com"), None]);
    for layout in &layouts {
        assert_eq!(normalize_email(Text::try_new(layout).unwrap()).unwrap(), expected);
        let slice = layout.slice(1, 3);
        assert_eq!(normalize_email(Text::try_new(&slice).unwrap()).unwrap(), expected.slice(1, 3));
        assert_eq!(sha256_hex(Text::try_new(layout).unwrap()).unwrap().null_count(), 2);
        let nothing = layout.slice(5, 0);
        assert_eq!(normalize_name(Text::try_new(&nothing).unwrap()).unwrap().len(), 0);
    }
}

#[test]
fn regions_come_once_or_with_each_row() {
    let numbers =
        StringViewArray::from(vec![Some("030 123456"), Some("(650) 253-0000"), Some("+44 20 7031 3000"), None]);
    let regions = StringArray::from(vec![Some("??"), Some("de"), Some("US"), None, Some("DE")]);
    let each = PhoneRegion::Each(Text::Utf8(&regions));
    assert_eq!(normalize_phone(Text::Utf8View(&numbers), each), Err(IdentityError::Lengths { texts: 4, regions: 5 }));
    let regions = regions.slice(1, 4);
    assert_eq!(
        normalize_phone(Text::Utf8View(&numbers), PhoneRegion::Each(Text::Utf8(&regions))).unwrap(),
        StringArray::from(vec![Some("+4930123456"), Some("+16502530000"), Some("+442070313000"), None])
    );
    let none = StringArray::from(vec![None, None, Some("+442070313000"), None]);
    for region in [None, Some(""), Some("XX"), Some("DEU"), Some("001"), Some("d"), Some("é")] {
        assert_eq!(normalize_phone(Text::Utf8View(&numbers), PhoneRegion::Same(region)).unwrap(), none, "{region:?}");
    }
}

#[test]
fn phones_of_the_platforms_guides_come_out_in_e164() {
    for (text, region, expected) in [
        ("18005550100", Some("US"), "+18005550100"),
        ("+1 800-555-0100", None, "+18005550100"),
        ("+1 800\u{2011}555\u{2011}0100", None, "+18005550100"),
        ("+1(800)555-0100 ext 5", None, "+18005550100"),
        ("+44-113-496-0987", None, "+441134960987"),
        ("00441134960987", Some("GB"), "+441134960987"),
        ("(650)555-1212", Some("US"), "+16505551212"),
        ("0049 170 1234567", Some("DE"), "+491701234567"),
        ("+37493828222", None, "+37493828222"),
        ("1 (234) 567-8901", Some("US"), "+12345678901"),
        ("(02) 1234 5678", Some("AU"), "+61212345678"),
        // The zero of an Italian landline belongs to the number.
        ("02 3661 8300", Some("IT"), "+390236618300"),
        ("1-800-FLOWERS", Some("US"), "+18003569377"),
        ("٠٣٠ ١٢٣٤٥٦", Some("DE"), "+4930123456"),
    ] {
        assert_eq!(phone(text, region).as_deref(), Some(expected), "{text:?}");
    }
    for text in ["", " ", "+", "0", "12", "123", " +A BCD EFG ", "+0000", "n/a", "+49", "+999 123456789", "a@b.com"] {
        assert_eq!(phone(text, Some("DE")), None, "{text:?}");
    }
}

#[test]
fn other_types_are_refused_by_name() {
    let numbers = Int64Array::from(vec![1]);
    let refused = Text::try_new(&numbers).unwrap_err();
    assert_eq!(refused.to_string(), "expected a column of text, got Int64: cast it first");
}

#[test]
fn debug_of_a_column_shows_no_value() {
    let column = StringArray::from(vec!["canary@example.com"]);
    let shown = format!("{:?}", PhoneRegion::Each(Text::Utf8(&column)));
    assert_eq!(shown, "Each(Utf8 of 1 rows)");
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(text in ".{0,4}[a-zA-ZäÖßİΣ.+ ]{0,8}@?[a-zA-ZÉ.\u{a0}]{0,8}[.]?[a-z]{0,3}.{0,2}") {
        if let Some(first) = email(&text) {
            prop_assert_eq!(email(&first), Some(first.clone()));
            prop_assert_eq!(first.matches('@').count(), 1);
        }
        if let Some(first) = name(&text) {
            prop_assert_eq!(name(&first), Some(first.clone()));
        }
    }

    #[test]
    fn a_phone_in_e164_stays_what_it_is(text in "[+0]{0,2}[0-9 ().-]{4,16}", region in "DE|US|IT|BR|KZ|AR|XX") {
        if let Some(first) = phone(&text, Some(&region)) {
            prop_assert_eq!(phone(&first, None), Some(first.clone()));
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), region in "[A-Z]{2}") {
        let _ = (email(&text), name(&text), phone(&text, Some(&region)));
    }
}
