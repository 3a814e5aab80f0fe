// Enters the elements; the page's markup does the rest.
import { AdminsPage } from "./admins-page.js";
import { App } from "./app.js";
import { Connection } from "./connection.js";
import { LivePage } from "./live-page.js";
import { OverviewPage } from "./overview-page.js";
import { PendingPage } from "./pending-page.js";
import { ScopePage } from "./scope-page.js";
import { ScopesPage } from "./scopes-page.js";
import { ServerPage } from "./server-page.js";
import { TimeChart } from "./time-chart.js";
import { UserPage } from "./user-page.js";
import { UsersPage } from "./users-page.js";

const elements = {
  "rc-connection": Connection,
  "rc-time-chart": TimeChart,
  "rc-live-page": LivePage,
  "rc-overview-page": OverviewPage,
  "rc-users-page": UsersPage,
  "rc-user-page": UserPage,
  "rc-pending-page": PendingPage,
  "rc-scopes-page": ScopesPage,
  "rc-scope-page": ScopePage,
  "rc-admins-page": AdminsPage,
  "rc-server-page": ServerPage,
  "rc-app": App, // last: it makes the others
};

for (const [name, element] of Object.entries(elements)) customElements.define(name, element);
