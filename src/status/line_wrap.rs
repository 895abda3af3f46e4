//! Text in lines that are no wider than the terminal.

/// Puts words behind a line that has `column` columns, and breaks before the one that would
/// not fit into `width`; the next line is indented.
pub fn wrap(line: &mut String, text: &str, mut column: usize, width: usize, indent: usize) {
    let mut begins = true;
    // An id stays with its word.
    let glued = text.replace("(id ", "(id\u{a0}");
    for word in glued.split(' ') {
        let columns = word.chars().count();
        let space = usize::from(!begins);
        let fits = column + space + columns <= width;
        if fits || (begins && column <= indent) {
            line.push_str(&" ".repeat(space));
            column += space + columns;
        } else {
            line.truncate(line.trim_end().len());
            line.push('\n');
            line.push_str(&" ".repeat(indent));
            column = indent + columns;
        }
        line.push_str(&word.replace('\u{a0}', " "));
        begins = false;
    }
}
