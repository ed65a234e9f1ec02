//! Functions of one text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::types::logical_string;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::scalar_doc_sections::{DOC_SECTION_HASHING, DOC_SECTION_STRING};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    TypeSignatureClass, Volatility,
};
use herald_destinations::identity::{IdentityError, Text, normalize_email, normalize_name, sha256_email, sha256_hex};

type Kernel = fn(Text<'_>) -> Result<StringArray, IdentityError>;

/// One text in, one text out, null for null.
pub(super) struct OneText {
    name: &'static str,
    kernel: Kernel,
    signature: Signature,
    documentation: Documentation,
}

impl OneText {
    pub(super) fn all() -> [Self; 4] {
        [
            Self::new(
                "normalize_email",
                normalize_email,
                DOC_SECTION_STRING,
                "Trims an e-mail address and turns it to lower case; null unless it has the shape x@y.z.",
                "SELECT normalize_email(' Ada@Example.com ')  -- ada@example.com",
            ),
            Self::new(
                "normalize_name",
                normalize_name,
                DOC_SECTION_STRING,
                "Trims a name, turns it to lower case and every run of blanks inside into one space; null when nothing is left.",
                "SELECT normalize_name('  Ada   LOVELACE ')  -- ada lovelace",
            ),
            Self::new(
                "sha256_email",
                sha256_email,
                DOC_SECTION_HASHING,
                "SHA-256 of a normalised e-mail address, as lower-case hex; null unless it has the shape x@y.z.",
                "SELECT sha256_email('ABC@example.com')",
            ),
            Self::new(
                "sha256_hex",
                sha256_hex,
                DOC_SECTION_HASHING,
                "SHA-256 of a text's UTF-8 as it stands, as lower-case hex.",
                "SELECT sha256_hex(normalize_name(last_name))",
            ),
        ]
    }

    fn new(name: &'static str, kernel: Kernel, section: DocSection, description: &str, example: &str) -> Self {
        Self {
            name,
            kernel,
            signature: texts(1),
            documentation: Documentation::builder(section, description, format!("{name}(text)"))
                .with_sql_example(example)
                .with_argument("text", "The text, of any string type.")
                .build(),
        }
    }
}

impl ScalarUDFImpl for OneText {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = arguments.args.as_slice() else {
            return exec_err!("{} takes one text, got {} arguments", self.name, arguments.args.len());
        };
        match text {
            ColumnarValue::Array(array) => {
                let array = (self.kernel)(Text::try_new(array).map_err(external)?).map_err(external)?;
                Ok(ColumnarValue::Array(Arc::new(array)))
            }
            ColumnarValue::Scalar(scalar) => {
                let array = scalar.to_array()?;
                first((self.kernel)(Text::try_new(&array).map_err(external)?).map_err(external)?)
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// A signature of texts; other types are refused when the query is planned, and say so by name.
pub(super) fn texts(count: usize) -> Signature {
    let text = Coercion::new_exact(TypeSignatureClass::Native(logical_string()));
    Signature::coercible(vec![text; count], Volatility::Immutable)
}

/// The only row, as a scalar.
pub(super) fn first(array: StringArray) -> Result<ColumnarValue> {
    let array: ArrayRef = Arc::new(array);
    Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
}

pub(super) fn external(error: IdentityError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

// A function is its name: the engine compares plans with it.
impl PartialEq for OneText {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OneText {}

impl Hash for OneText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for OneText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
