//! Pages that were rendered from the present view, so that many readers of one page cost no more
//! than one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::http_answer::Content;
use super::view::FleetView;

/// Maximum number of pages that are kept.
const KEPT: usize = 8;

/// Pages by their query and coding, and the view that they show.
#[derive(Default)]
pub(super) struct RenderedPages(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    view: Weak<FleetView>,
    pages: BTreeMap<(String, bool), Content>,
}

impl RenderedPages {
    /// Returns the page of this view, rendered by `render` unless it is there already.
    pub(super) fn page(
        &self,
        view: &Arc<FleetView>,
        key: (String, bool),
        render: impl FnOnce() -> Content,
    ) -> Content {
        let known = self.of(view, |pages| pages.get(&key).cloned());
        known.unwrap_or_else(|| {
            let content = render();
            self.of(view, |pages| {
                if pages.len() < KEPT {
                    pages.insert(key, content.clone());
                }
            });
            content
        })
    }

    /// Runs `work` on the pages of this view; those of an earlier one are dropped.
    fn of<T>(
        &self,
        view: &Arc<FleetView>,
        work: impl FnOnce(&mut BTreeMap<(String, bool), Content>) -> T,
    ) -> T {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(held.view.as_ptr(), Arc::as_ptr(view)) {
            *held = Pages {
                view: Arc::downgrade(view),
                pages: BTreeMap::new(),
            };
        }
        work(&mut held.pages)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_page_is_rendered_once_for_each_view_query_and_coding() {
        let pages = RenderedPages::default();
        let rendered = Cell::new(0);
        let show = |view: &Arc<FleetView>, query: &str, gzip: bool| {
            pages.page(view, (query.to_owned(), gzip), || {
                rendered.set(rendered.get() + 1);
                Content::tagged("text/html", query.to_owned(), gzip)
            });
            rendered.get()
        };
        let view = Arc::new(FleetView::of_nothing());
        assert_eq!(show(&view, "", true), 1);
        assert_eq!(show(&view, "", true), 1);
        assert_eq!(show(&view, "", false), 2);
        assert_eq!(show(&view, "q=a", true), 3);
        let newer = Arc::new(FleetView::of_nothing());
        assert_eq!(show(&newer, "", true), 4);
        for n in 0..2 * KEPT {
            show(&newer, &format!("q={n}"), true);
        }
        assert_eq!(pages.0.lock().expect("not poisoned").pages.len(), KEPT);
    }
}
