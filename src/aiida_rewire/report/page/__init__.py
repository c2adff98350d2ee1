"""One page about a campaign, complete in itself: from the database to HTML."""
