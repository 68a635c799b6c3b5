"""Every kind of source and its extractor. A new kind is one line here and one folder of tests/pages."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.extract.acts_page import ActsPage
from monitor.extract.base import Extractor
from monitor.extract.bill_feed import BillFeed
from monitor.extract.bill_page import BillPage
from monitor.extract.document_list import DocumentListPage
from monitor.extract.feed import FeedReader
from monitor.extract.sandbox import Guarded
from monitor.model.tracking import SourceKind

#: As they are, in this process: for the child of ``sandbox``.
READERS: Mapping[SourceKind, Extractor] = {
    SourceKind.BILL_FEED: BillFeed(),
    SourceKind.BILL_PAGE: BillPage(),
    SourceKind.ACTS_PAGE: ActsPage(),
    SourceKind.DOCUMENT_LIST: DocumentListPage(),
    SourceKind.FEED: FeedReader(),
}

#: For everybody else. The bulk files are large by nature and go through the csv module, which has no depths.
EXTRACTORS: Mapping[SourceKind, Extractor] = {
    kind: reader if kind is SourceKind.BILL_FEED else Guarded(reader) for kind, reader in READERS.items()
}
