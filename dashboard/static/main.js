// What every page's script begins with; each part looks for what it adds comfort to.

import { pointAtCharts } from "./chart.js";
import { offerCopies } from "./copy.js";
import { helpForms } from "./form.js";
import { followCounts } from "./live.js";
import { searchWhileTyping } from "./search.js";

offerCopies(document);
pointAtCharts(document);
searchWhileTyping(document);
helpForms(document);
followCounts(document);
