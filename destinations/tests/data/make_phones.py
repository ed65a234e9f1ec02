"""Writes phones.tsv: phone numbers in many ways of writing, and what libphonenumber makes of each.

    pip install phonenumbers==9.0.33    # the Python port; the metadata version of the `phonenumber` crate
    python make_phones.py [SEED [NUMBERS_PER_TYPE [MUTATIONS]]] > phones.tsv

Columns: region, E.164 or nothing, text (tab as \\t, backslash doubled). The defaults give the file that is checked in;
with larger ones (7 20 200000) it makes a corpus of some 360,000 lines to compare against now and then.
"""

import random
import sys

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat
from phonenumbers.phonemetadata import PhoneMetadata

TYPES = "fixed_line mobile toll_free premium_rate shared_cost personal_number voip pager uan voicemail".split()
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FRAGMENTS = [
    *" - . ( ) / + 0 1 x # ~ [ ] * a X _ : & | ,".split(" "), " ", "\t", "\\", "00", "011", "49", "44", "7", "\uff0b",
    "ext. 12", "ext 5", " x302/x2303", "/ x", ";ext=7", ";isub=1", "tel:", ",,3", ",4", "~5", "int 3", "anexo 2",
    "\u0434\u043e\u0431. 5", "xtn 4", "extensi\u00f3n 9", "- 503#", "Tel: ", "abc", "FLOWERS", "\u00a0", "\u200b", "\u2010",
    "\u3000", "\u202c", "\u0663", "\uff15", "\u00b2", "\u00bd", "\u2167", "\u07c0", "\U0001d7d9", "\u00e9",
    ";phone-context=", ";phone-context=+1", ";phone-context=example.com",
]


def answer(text, region):
    """What the contract asks for: E.164, or nothing unless valid."""
    try:
        number = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if phonenumbers.is_valid_number(number) else ""


def plans():
    for region in REGIONS:
        yield region, PhoneMetadata.metadata_for_region(region)
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        yield "", PhoneMetadata.metadata_for_nongeo_region(code)


def spoiled(rng, national):
    """Other digits at the end; sometimes one too few or too many."""
    count = rng.randint(1, min(7, len(national) - 1))
    national = national[:-count] + "".join(rng.choice("0123456789") for _ in range(count))
    chance = rng.random()
    if chance < 0.12:
        return national[:-1]
    if chance < 0.24:
        return national + rng.choice("0123456789")
    return national[1:] if chance < 0.32 else national


def writings(rng, region, plan, national):
    """(region, text) for every usual way to write a national number."""
    code, trunk, other = plan.country_code, plan.national_prefix or "", rng.choice(REGIONS)
    number = PhoneNumber(country_code=code, national_number=int(national))
    zeros = len(national) - len(national.lstrip("0"))
    if zeros:
        number.italian_leading_zero, number.number_of_leading_zeros = True, zeros
    formatted = {style: phonenumbers.format_number(number, style) for style in range(4)}
    abroad = phonenumbers.format_out_of_country_calling_number(number, other)
    return [
        (region, f"+{code}{national}"), ("", f"+{code}{national}"), (other, f"+{code}{national}"), (region, national),
        (region, trunk + national), ("", formatted[1]), (region, formatted[2]), (region, formatted[3]), (other, abroad),
        (region, f"{code}{national}"), (other, f"{code}{national}"), (region, f"00{code}{national}"),
        (other, f"00{code}{national}"), (other, f"011 {code} {national}"), ("", f"+{code} (0) {national}"),
        (region, f"+{code}{trunk or 0}{national}"), (region, f"({national[:3]}) {national[3:]}"),
        (region, f"{national[:2]}.{national[2:5]}-{national[5:]}"), (region, f"  {national} "), (region, f"+{national}"),
        (other, national), ("", national), (region, f"{national} ext. 12"), (region, f"{national}x5"),
        (region, f"Tel: {national}"), (region, f"+ {code} - {national}"), (region, f"++{code}/{national}"),
    ]


def corpus(rng, per_type):
    for region, plan in plans():
        for kind in TYPES:
            description = getattr(plan, kind)
            if description is None or not description.example_number:
                continue
            for attempt in range(per_type):
                national = description.example_number
                all_ways = writings(rng, region, plan, spoiled(rng, national) if attempt else national)
                yield from rng.sample(all_ways, 3)


def mutated(rng, base, count):
    for _ in range(count):
        region, text = rng.choice(base)
        for _ in range(rng.randint(1, 3)):
            at = rng.randint(0, len(text))
            text = text[:at] + text[at + 1 :] if rng.random() < 0.25 else text[:at] + rng.choice(FRAGMENTS) + text[at:]
        if rng.random() < 0.1:
            text = "".join(rng.choice([*FRAGMENTS, *"0123456789"]) for _ in range(rng.randint(1, 14)))
        yield rng.choice([*REGIONS, "", "XX"]) if rng.random() < 0.3 else region, text


def main():
    seed, per_type, mutations = ([int(word) for word in sys.argv[1:]] + [1, 2, 2000][len(sys.argv) - 1 :])[:3]
    rng = random.Random(seed)
    base = list(corpus(rng, per_type))
    print(f"# Answers of the Python port of libphonenumber {phonenumbers.__version__}, by make_phones.py. Region, E.164, text.")
    for region, text in [*base, *mutated(rng, base, mutations)]:
        escaped = text.replace("\\", "\\\\").replace("\t", "\\t")
        print(region, answer(text, region), escaped, sep="\t")


if __name__ == "__main__":
    main()
