//! A function that says whether a value is one of many: one look into a table, where a list would be compared and planned
//! value by value.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{HashSet, Result, exec_err},
    error::DataFusionError,
    logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// A condition that holds where the column's value is one of `values`, a column without nulls of the column's own plain
/// type; of null it does not. `None`: not of this type.
pub(super) fn among(column: Expr, values: &ArrayRef) -> Result<Option<Expr>, DataFusionError> {
    let set = match values.data_type() {
        DataType::Utf8 => Set::Texts(values.as_string::<i32>().iter().flatten().map(Box::from).collect()),
        // Some of these are past the greatest Int64.
        DataType::UInt64 => return Ok(None),
        integers if integers.is_integer() => {
            let values = cast(values, &DataType::Int64)?;
            Set::Integers(values.as_primitive::<Int64Type>().values().iter().copied().collect())
        }
        _ => return Ok(None),
    };
    let signature = Signature::any(1, Volatility::Immutable);
    Ok(Some(ScalarUDF::from(Among { set: Arc::new(set), signature }).call(vec![column])))
}

enum Set {
    Integers(HashSet<i64>),
    Texts(HashSet<Box<str>>),
}

/// Its `Debug` says how many, not which: they are members' keys.
struct Among {
    set: Arc<Set>,
    signature: Signature,
}

impl Set {
    fn len(&self) -> usize {
        match self {
            Self::Integers(set) => set.len(),
            Self::Texts(set) => set.len(),
        }
    }

    fn holds(&self, values: &ArrayRef) -> Result<BooleanArray> {
        Ok(match self {
            Self::Integers(set) => {
                let values = cast(values, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                values.iter().map(|value| Some(value.is_some_and(|value| set.contains(&value)))).collect()
            }
            Self::Texts(set) => {
                let known = |text: Option<&str>| Some(text.is_some_and(|text| set.contains(text)));
                match values.data_type() {
                    DataType::Utf8View => values.as_string_view().iter().map(known).collect(),
                    DataType::Utf8 => values.as_string::<i32>().iter().map(known).collect(),
                    _ => cast(values, &DataType::Utf8)?.as_string::<i32>().iter().map(known).collect(),
                }
            }
        })
    }
}

impl fmt::Debug for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Among").field("len", &self.set.len()).finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for Among {
    fn name(&self) -> &'static str {
        "among_named"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else {
            return exec_err!("{} takes one value, got {}", self.name(), arguments.args.len());
        };
        let values = value.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(self.set.holds(&values)?)))
    }
}

// The very same set: another one of as many values is another function.
impl PartialEq for Among {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.set, &other.set)
    }
}

impl Eq for Among {}

impl Hash for Among {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.set).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array, StringArray, StringViewArray};
    use datafusion::prelude::col;

    use super::*;

    fn set(values: ArrayRef) -> Option<Arc<Set>> {
        match among(col("id"), &values).unwrap()? {
            Expr::ScalarFunction(call) => {
                let among = call.func.inner().downcast_ref::<Among>().unwrap();
                Some(Arc::clone(&among.set))
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn texts_of_any_layout_are_found() {
        let set = set(Arc::new(StringArray::from(vec!["a", "b", "b"]))).unwrap();
        assert_eq!(set.len(), 2);
        let wanted = BooleanArray::from(vec![true, false, false]);
        let values = vec![Some("b"), Some("c"), None];
        assert_eq!(set.holds(&(Arc::new(StringArray::from(values.clone())) as ArrayRef)).unwrap(), wanted);
        assert_eq!(set.holds(&(Arc::new(StringViewArray::from(values)) as ArrayRef)).unwrap(), wanted);
    }

    #[test]
    fn integers_of_any_width_are_found() {
        let set = set(Arc::new(Int64Array::from(vec![-1, 7]))).unwrap();
        let found = set.holds(&(Arc::new(Int32Array::from(vec![Some(7), Some(8), None])) as ArrayRef)).unwrap();
        assert_eq!(found, BooleanArray::from(vec![true, false, false]));
    }

    #[test]
    fn it_shows_no_key() {
        let condition = among(col("id"), &(Arc::new(StringArray::from(vec!["secret"])) as ArrayRef)).unwrap().unwrap();
        assert_eq!(condition.to_string(), "among_named(id)");
        assert!(!format!("{condition:?}").contains("secret"));
    }
}
