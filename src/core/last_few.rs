//! Lists that hold only the last few items.

/// Appends an item to a list that holds only the last few.
pub(super) fn keep_last<T>(list: &mut Vec<T>, most: usize, item: T) {
    if list.len() == most {
        list.remove(0);
    }
    list.reserve_exact(1);
    list.push(item);
}
