// The pages work without any of this; each module adds one thing and speaks to the page by data attributes
// (listed in drivercrm/ui/README.md). Order matters for Escape: menus first, then boards, then the selection.
import "htmx.org";
import "./theme.js";
import "./errors.js";
import "./polling.js";
import "./toasts.js";
import "./dialogs.js";
import "./confirm.js";
import "./menus.js";
import "./board.js";
import "./rows.js";
import "./selection.js";
import "./palette.js";
import "./columns.js";
import "./edits.js";
import "./copy.js";
import "./rails.js";
import "./keys.js";
