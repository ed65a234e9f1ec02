//! Functions of a phone number and a region.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::{DOC_SECTION_HASHING, DOC_SECTION_STRING};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use herald_destinations::identity::{IdentityError, PhoneRegion, Text, normalize_phone, sha256_phone};

use super::one_text::{external, first, texts};

type Kernel = fn(Text<'_>, PhoneRegion<'_>) -> Result<StringArray, IdentityError>;

/// A phone number and a region in, one text out. Not null for a null region: a number that starts with a
/// plus needs none.
pub(super) struct Phone {
    name: &'static str,
    kernel: Kernel,
    signature: Signature,
    documentation: Documentation,
}

impl Phone {
    pub(super) fn all() -> [Self; 2] {
        [
            Self::new(
                "normalize_phone",
                normalize_phone,
                DOC_SECTION_STRING,
                "A phone number in E.164, by libphonenumber's rules; null unless it is valid.",
                "SELECT normalize_phone('(030) 123456', 'DE')  -- +4930123456",
            ),
            Self::new(
                "sha256_phone",
                sha256_phone,
                DOC_SECTION_HASHING,
                "SHA-256 of a phone number in E.164, plus included, as lower-case hex; null unless it is valid.",
                "SELECT sha256_phone(phone, country)",
            ),
        ]
    }

    fn new(name: &'static str, kernel: Kernel, section: DocSection, description: &str, example: &str) -> Self {
        Self {
            name,
            kernel,
            signature: texts(2),
            documentation: Documentation::builder(section, description, format!("{name}(text, region)"))
                .with_sql_example(example)
                .with_argument("text", "The number, written in any way.")
                .with_argument(
                    "region",
                    "ISO 3166 alpha-2 code of the region in which a number without a country code is read. \
                     Null or unknown: only numbers that start with a plus are accepted.",
                )
                .build(),
        }
    }
}

impl ScalarUDFImpl for Phone {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, region] = arguments.args.as_slice() else {
            return exec_err!("{} takes a text and a region, got {} arguments", self.name, arguments.args.len());
        };
        let run = |text: &dyn arrow::array::Array, region| {
            (self.kernel)(Text::try_new(text).map_err(external)?, region).map_err(external)
        };
        match (text, region) {
            (ColumnarValue::Scalar(text), ColumnarValue::Scalar(region)) => {
                let region = PhoneRegion::Same(region.try_as_str().flatten());
                first(run(&text.to_array()?, region)?)
            }
            (ColumnarValue::Array(text), ColumnarValue::Scalar(region)) => {
                let region = PhoneRegion::Same(region.try_as_str().flatten());
                Ok(ColumnarValue::Array(Arc::new(run(text, region)?)))
            }
            (text, ColumnarValue::Array(region)) => {
                let text = text.to_array(arguments.number_rows)?;
                let region = PhoneRegion::Each(Text::try_new(region).map_err(external)?);
                Ok(ColumnarValue::Array(Arc::new(run(&text, region)?)))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

// A function is its name: the engine compares plans with it.
impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Phone {}

impl Hash for Phone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
