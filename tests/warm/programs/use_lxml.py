# /// script
# requires-python = ">=3.11"
# dependencies = ["lxml"]
# ///
import io

from lxml import etree, html, objectify

def main():
    tree = etree.fromstring("<a><b c='1'>x</b><b c='2'>y</b></a>")
    print(tree.xpath("//b[@c='2']/text()"), etree.tostring(tree, pretty_print=True).decode())
    style = etree.XSLT(etree.XML(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template match="/"><n><xsl:value-of select="count(//b)"/></n></xsl:template></xsl:stylesheet>'))
    print(str(style(tree)), html.fromstring("<p>Hi <b>there").text_content(), objectify.fromstring("<r><v>3</v></r>").v + 1)
    namespaces = {"s": "urn:s"}
    shop = etree.XML(b'<s:shop xmlns:s="urn:s"><s:item price="3">caf\xc3\xa9</s:item><s:item price="5"/></s:shop>')
    dear = shop.xpath("//s:item[@price > $least]", namespaces=namespaces, least=4)
    print(shop.xpath("sum(//s:item/@price)", namespaces=namespaces), [dict(one.attrib) for one in dear])
    sort = etree.XSLT(etree.XML(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:s="urn:s"><xsl:output method="html"/>'
        '<xsl:param name="title"/><xsl:template match="/"><h1><xsl:value-of select="$title"/></h1><ul>'
        '<xsl:for-each select="//s:item"><xsl:sort select="@price" order="descending" data-type="number"/>'
        '<li><xsl:value-of select="concat(@price, \' \', .)"/></li></xsl:for-each></ul></xsl:template></xsl:stylesheet>'))
    print(str(sort(shop, title=etree.XSLT.strparam("prices"))))
    schema = etree.XMLSchema(etree.XML(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="n" type="xs:int"/></xs:schema>'))
    print(schema.validate(etree.XML("<n>5</n>")), schema.validate(etree.XML("<n>x</n>")), schema.error_log.last_error.message)
    relax = etree.RelaxNG(etree.XML('<element name="n" xmlns="http://relaxng.org/ns/structure/1.0"><text/></element>'))
    print(relax.validate(etree.XML("<n>5</n>")), [event for event, _ in etree.iterparse(io.BytesIO(b"<a><b/></a>"), ("start", "end"))])
    page = html.fromstring("<div><p class='x y'>one<p>two<a href='/q?a=b&c'>link</a></div>", base_url="http://here/")
    page.make_links_absolute()
    print([one.text for one in page.xpath("//p")], [link[2] for link in page.iterlinks()], html.tostring(page))
    etree.FunctionNamespace("urn:f")["twice"] = lambda context, value: 2 * value
    print(tree.xpath("f:twice(21)", namespaces={"f": "urn:f"}))
    try:
        etree.fromstring("<a>")
    except etree.XMLSyntaxError as error:
        print(error)


if __name__ == "__main__":
    main()
