# /// script
# requires-python = ">=3.11"
# dependencies = ["lxml"]
# ///
from lxml import etree, html, objectify

if __name__ == "__main__":
    tree = etree.fromstring("<a><b c='1'>x</b><b c='2'>y</b></a>")
    print(tree.xpath("//b[@c='2']/text()"), etree.tostring(tree, pretty_print=True).decode())
    style = etree.XSLT(etree.XML(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template match="/"><n><xsl:value-of select="count(//b)"/></n></xsl:template></xsl:stylesheet>'))
    print(str(style(tree)), html.fromstring("<p>Hi <b>there").text_content(), objectify.fromstring("<r><v>3</v></r>").v + 1)
    try:
        etree.fromstring("<a>")
    except etree.XMLSyntaxError as error:
        print(error)
