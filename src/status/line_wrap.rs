//! Wraps text at the terminal's width.

/// Appends words to a line that has `column` columns, and breaks it before a word that would
/// exceed `width`. Continuation lines are indented by `indent`.
pub fn wrap(line: &mut String, text: &str, mut column: usize, width: usize, indent: usize) {
    let mut begins = true;
    // Keeps `(id` and the id after it on one line.
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

/// Columns by which `wrap_lines` indents continuation lines.
pub const WRAP_INDENT: usize = 4;

/// Wraps each line of a text. Continuation lines are indented further than the line.
pub fn wrap_lines(text: &str, width: Option<u16>) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match width {
            Some(width) => wrap(&mut wrapped, line, 0, width.into(), indent + WRAP_INDENT),
            None => wrapped.push_str(line),
        }
        wrapped.push('\n');
    }
    wrapped
}
