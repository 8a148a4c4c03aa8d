"""What each ready-made source of config/examples makes of the sample answer of its service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT.parent / "shared" / "data" / "finews" / "json-apis"
JSON = "application/json; charset=utf-8"
SCRIPT = "application/javascript; charset=utf-8"
DAY = datetime(2026, 11, 23, tzinfo=UTC)
FINANCE = "http://finance.eastmoney.com/a/"
HN_PAGE = "https://news.ycombinator.com/item?id="


@dataclass(frozen=True, kw_only=True)
class Example:
    """A configuration, the sample its service answers with, and (title, UTC instant, link) of every item."""

    name: str
    variable: str
    path: str
    items: list[tuple[str, str, str]]
    file: str = ""
    content_type: str = JSON
    left_out: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    next_page: str = ""
    next_body: bytes = b""
    link: str = ""
    now: datetime = DAY

    @property
    def key(self) -> str:
        return self.file or self.name

    @property
    def sample(self) -> bytes:
        return (SAMPLES / (self.file or f"{self.name}.json")).read_bytes()


TABLE = [
    Example(
        name="eastmoney-kuaixun",
        variable="EASTMONEY_KUAIXUN_URL",
        path="/kuaixun/v1/getlist_102_ajaxResult_50_1_.html",
        file="eastmoney-kuaixun.js",
        content_type=SCRIPT,
        next_page="/kuaixun/v1/getlist_102_ajaxResult_50_2_.html",
        next_body=b'var ajaxResult={"rc":1,"me":"","LivesList":[]}',
        items=[
            ("CPO概念快速拉升 汇绿生态涨停", "2026-07-27 02:00:57", f"{FINANCE}202607273821610750.html"),
            ("创业板指涨逾2% 上涨个股近4800只", "2026-07-27 01:57:39", f"{FINANCE}202607273821590287.html"),
        ],
    ),
    Example(
        name="eastmoney-search",
        variable="EASTMONEY_SEARCH_URL",
        path="/search/jsonp",
        file="eastmoney-search.jsonp",
        content_type=SCRIPT,
        headers={"Referer": "https://so.eastmoney.com/"},
        items=[("宁德时代入股屹艮科技", "2026-07-24 06:59:00", f"{FINANCE}202607243820422690.html")],
    ),
    Example(
        name="eastmoney-stock-list",
        variable="EASTMONEY_STOCK_LIST_URL",
        path="/comm/wap/getListInfo",
        file="eastmoney-stock-list.jsonp",
        content_type=SCRIPT,
        next_page="pageIndex=2",
        next_body=b'callback({"data":{"list":[]}})',
        items=[
            (
                "潍柴动力：巴拉德和锡里斯不纳入合并财务报表范围",
                "2022-02-11 06:29:25.017262",
                f"{FINANCE}202202112274017262.html",
            ),
            (
                "首创证券维持索菲亚买入评级 公司简评报告：多重因素影响短期压制业绩 看好2022年利润修复",
                "2022-02-09 06:12:30.036373",
                f"{FINANCE}202202092271136373.html",
            ),
        ],
    ),
    Example(
        name="eastmoney-columns",
        variable="EASTMONEY_COLUMNS_URL",
        path="/comm/web/getNewsByColumns",
        headers={"Referer": "https://finance.eastmoney.com/"},
        left_out='"not-a-date" does not match',
        next_page="page_index=2",
        next_body=b'{"code":"1","data":{"list":[]}}',
        items=[
            ("标题C", "2026-08-19 02:30:00", f"{FINANCE}E1.html"),
            ("彭博：美股期货上涨", "2026-08-19 02:31:00", f"{FINANCE}E2.html"),
        ],
    ),
    Example(
        name="eastmoney-fastnews",
        variable="EASTMONEY_FASTNEWS_URL",
        path="/comm/web/getFastNewsList",
        next_page="sortEnd=1757035200000000",
        next_body=b'{"data":{"sortEnd":"","fastNewsList":[]}}',
        items=[
            ("央行开展逆回购操作", "2026-09-05 01:20:00", f"{FINANCE}202609053456789.html"),
            ("中际旭创：完成50亿元股份回购", "2026-09-24 14:01:00", f"{FINANCE}202609243883.html"),
        ],
    ),
    Example(
        name="eastmoney-724-app",
        variable="EASTMONEY_724_APP_URL",
        path="/724",
        items=[
            (
                "加拿大年金计划委员会手握190只中国股票 市值超500亿元",
                "2022-05-30 14:00:29",
                f"{FINANCE}202205302396671645.html",
            )
        ],
    ),
    Example(
        name="eastmoney-announcements",
        variable="EASTMONEY_ANNOUNCEMENTS_URL",
        path="/api/security/ann",
        next_page="page_index=2",
        next_body=b'{"data":{"list":[]},"success":1}',
        items=[
            (
                "*ST步森:独立董事提名人声明与承诺-林善浪",
                "2026-07-26 23:53:06.817000",
                "https://data.eastmoney.com/notices/detail/002569/AN202607271827362101.html",
            ),
            (
                "安克创新:关于公司境外上市股份(H股)调入港股通标的证券名单的公告",
                "2026-07-26 23:54:39.463000",
                "https://data.eastmoney.com/notices/detail/300866/AN202607271827362108.html",
            ),
        ],
    ),
    Example(
        name="eastmoney-choice-list",
        variable="EASTMONEY_CHOICE_URL",
        path="/app/report/web/homePage/getInformationList",
        headers={"appid": "key of the test"},
        # 17:00 in Shanghai on the day that the sample calls today.
        now=datetime(2026, 2, 5, 9, tzinfo=UTC),
        items=[
            (
                "“走势扭转”！免税店大扩容 高增长潜力票曝光",
                "2026-02-05 08:25:00",
                "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202602053642763595",
            ),
            (
                "白酒行业龙头贵州茅台（600519.SH",
                "2026-02-05 08:19:00",
                "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202602053642753441",
            ),
        ],
    ),
    Example(
        name="cls-telegraph",
        variable="CLS_URL",
        path="/v1/roll/get_roll_list",
        items=[
            (
                "济南再发5000万汽车购新补贴 8月20日起申报",
                "2026-08-08 01:35:53",
                "https://www.cls.cn/detail/2449030",
            ),
            ("重磅", "2026-08-08 01:35:54", "https://www.cls.cn/detail/2449031"),
        ],
    ),
    Example(
        name="sina-7x24",
        variable="SINA_7X24_URL",
        path="/api/zhibo/feed",
        next_page="page=2",
        next_body=b'{"result":{"status":{"code":0},"data":{"feed":{"list":[]}}}}',
        items=[
            (
                "德国卫生部发言人：重申我们预计欧洲药品管理局（EMA）将在12月底批准BIONTECH的新冠疫苗。",
                "2020-12-14 11:08:25",
                "https://finance.sina.cn/7x24/2020-12-14/detail-iiznezxs6893884.d.html",
            )
        ],
    ),
    Example(
        name="sina-7x24",
        variable="SINA_7X24_URL",
        path="/api/zhibo/feed",
        file="sina-7x24.jsonp",
        content_type=SCRIPT,
        next_page="page=2",
        next_body=b'try{callback({"result":{"data":{"feed":{"list":[]}}}});}catch(e){};',
        items=[
            (
                "市场",
                "2026-06-18 06:30:00",
                "https://finance.sina.cn/7x24/2026-06-18/detail-test.d.html",
            )
        ],
    ),
    Example(
        name="wallstreetcn-lives",
        variable="WALLSTREETCN_URL",
        path="/apiv1/content/lives",
        next_page="cursor=1787106720",
        next_body=b'{"code":20000,"message":"OK","data":{"items":[],"next_cursor":""}}',
        items=[
            (
                "浙江：7月份，规模以上工业增加值同比增长7.4%。",
                "2026-08-19 02:32:00",
                "https://wallstreetcn.com/livenews/3152710",
            )
        ],
    ),
    Example(
        name="jin10-flash",
        variable="JIN10_FLASH_URL",
        path="/get_flash_list",
        headers={"x-app-id": "key of the test", "x-version": "1.0.0"},
        left_out="left out by where",
        items=[
            (
                "中际旭创短线跳水，现跌超4%。详情",
                "2026-08-07 06:17:19",
                "https://flash.jin10.com/detail/20260807141719234800",
            )
        ],
    ),
    Example(
        name="jin10-newest",
        variable="JIN10_NEWEST_URL",
        path="/flash_newest.js",
        file="jin10-newest.js",
        content_type=SCRIPT,
        left_out="left out by where",
        items=[("【株冶集团】上半年净利润增232%", "2026-08-18 11:02:33", "https://flash.jin10.com/detail/1")],
    ),
    Example(
        name="hn-algolia",
        variable="HN_ALGOLIA_URL",
        path="/api/v1/search_by_date",
        next_page="page=1",
        next_body=b'{"hits":[],"page":1,"nbPages":1}',
        items=[
            (
                "Micro Frontend for Huge Application",
                "2021-06-22 16:42:57",
                "https://present.do/decks/60d20b8dffff3c06649f7a18",
            ),
            (
                "Show HN: I may have created a new type of puzzle",
                "2022-09-18 04:37:58",
                "http://www.dogbunnypuzzle.com/",
            ),
            ("Ask HN: Anyone else?", "2023-09-05 15:07:21", f"{HN_PAGE}1"),
        ],
    ),
    Example(
        name="github-releases",
        variable="GITHUB_URL",
        path="/repos/octocat/Hello-World/releases",
        headers={"Accept": "application/vnd.github+json"},
        next_page="page=2",
        next_body=b"[]",
        link='</github-releases/repos/octocat/Hello-World/releases?per_page=30&page=2>; rel="next"',
        items=[("v1.0.0", "2013-02-27 19:35:32", "https://github.com/octocat/Hello-World/releases/v1.0.0")],
    ),
    Example(
        name="reddit-new",
        variable="REDDIT_URL",
        path="/r/programming/new.json",
        headers={"User-Agent": "feedhub/"},
        left_out="left out by where: !stickied",
        next_page="after=t3_t2",
        next_body=b'{"kind":"Listing","data":{"after":null,"children":[]}}',
        items=[
            (
                "Hollow Knight review after 60 hours - is it worth it?",
                "2024-03-09 16:00:00",
                "https://www.reddit.com/r/patientgamers/comments/t1/slug/",
            )
        ],
    ),
]
