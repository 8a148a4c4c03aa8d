<?xml version="1.0"?>
<CHANNEL HREF="http://cdf.example/" BASE="http://cdf.example/"><TITLE>Channel definition</TITLE>
<ITEM HREF="http://cdf.example/1.html" LASTMOD="2003-11-05T10:00"><TITLE>Page one</TITLE><ABSTRACT>About one</ABSTRACT></ITEM>
</CHANNEL>