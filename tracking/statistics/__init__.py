"""Statistics: clicks and orders of an event or a campaign, by periods and intervals of its days."""
