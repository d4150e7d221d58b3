"""The documentation as a site: pages that come from the code, and links from pages to the code."""
