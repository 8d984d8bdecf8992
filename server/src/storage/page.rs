//! A page of a list, read row by row, so that neither many rows nor large ones fill the memory.

/// Bytes that the items of a page may take; the page ends with the item that reaches it.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What was read of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Whether the list goes on behind them.
    pub more: bool,
}

/// Takes up to `limit` rows, fewer if they are large (`bytes` of one), and looks whether there is another.
pub fn take_page<T, E>(
    mut rows: impl Iterator<Item = Result<T, E>>,
    limit: u64,
    bytes: impl Fn(&T) -> usize,
) -> Result<Found<T>, E> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut items, mut taken) = (Vec::new(), 0);
    while items.len() < limit && taken < PAGE_BYTES_MAX {
        let Some(item) = rows.next().transpose()? else { return Ok(Found { items, more: false }) };
        taken += bytes(&item);
        items.push(item);
    }
    let more = rows.next().transpose()?.is_some();
    Ok(Found { items, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sizes: &[usize], limit: u64) -> (usize, bool) {
        let rows = sizes.iter().map(|&size| Ok::<_, ()>(size));
        let Ok(found) = take_page(rows, limit, |size| *size) else { unreachable!("no row fails") };
        (found.items.len(), found.more)
    }

    #[test]
    fn a_page_ends_with_its_limit_its_bytes_or_its_list() {
        assert_eq!(page(&[], 3), (0, false));
        assert_eq!(page(&[1, 1, 1], 3), (3, false));
        assert_eq!(page(&[1, 1, 1, 1], 3), (3, true));
        assert_eq!(page(&[PAGE_BYTES_MAX, 1], 3), (1, true), "one is always taken");
        assert_eq!(page(&[PAGE_BYTES_MAX - 1, 1, 1], 3), (2, true));
    }
}
