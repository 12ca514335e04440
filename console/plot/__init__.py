"""One page that shows a replay: windows and incidents, evidence against thresholds, features, metrics.

It is one file of HTML with hand-made SVG: nothing is fetched, nothing runs (its policy forbids scripts).

markup      elements; every text is escaped when the page is written
axes        where an instant and a value lie; ticks; thinning (pure)
drawing     lines, bands, strips on those axes
told        what a page shows of events (pure)
panels      one chart or table each
style       colours by meaning, for light and dark
page        all of it, in order
"""
