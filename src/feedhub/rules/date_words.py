"""The words of dates in the languages of publishers: months, days, units of time, and what stands between them.

Names of months and days are those of CLDR, folded as ``folded`` does; a test compares them with babel. Names that mean
two days in two languages are left out. A library takes 2 ms for a date that it knows and 20 ms for one that it does
not, after a second of loading; these tables take microseconds.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from feedhub.rules.lazy_patterns import lazy_pattern


def folded(word: str) -> str:
    """Return a word as it stands in the tables: in lower case and without accents."""
    letters = unicodedata.normalize("NFKD", word.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", plain.replace("ı", "i").replace("’", "'").replace("ʼ", "'"))


def _numbered(*lines: str) -> dict[str, int]:
    return {folded(word): number for number, line in enumerate(lines, 1) for word in line.split()}


MONTHS: Final = _numbered(
    "ene enero gen gener gennaio ian ianuarie jaan jaanuar jan janeiro janner januar januara januari january janv "
    "janvier led leden ledna oca ocak sty styczen stycznia tammi tammik tammikuu tammikuuta ιαν ιανουαριος ιανουαριου "
    "січ січень січня янв январь января яну януари",
    "feb febbraio febr febrer febrero februar februara februari februarie february fev fevereiro fevr fevrier "
    "helmi helmik helmikuu helmikuuta lut lutego luty sub subat uno unor unora veebr veebruar φεβ φεβρουαριος "
    "φεβρουαριου лют лютии лютого фев февр февраль февраля февруари",
    "bre brezen brezna maalis maalisk maaliskuu maaliskuuta maart mar marc marca march marcius marco marec mars mart "
    "martie marts marz marzec marzo mrt mrz μαρ μαρτιος μαρτιου бер березень березня мар март марта",
    "abr abril apr april aprila aprile aprilie aprilis aprill avr avril dub duben dubna huhti huhtik huhtikuu "
    "huhtikuuta kwi kwiecien kwietnia nis nisan απρ απριλιος απριλιου апр апрель апреля април квіт квітень квітня",
    "kve kveten kvetna mag maggio mai maig maio maj maja majus may mayis mayo mei touko toukok toukokuu toukokuuta μαι "
    "μαιος μαιου маи мая трав травень травня",
    "cerven cervna cvn cze czerwca czerwiec giu giugno haz haziran iun iunie juin jun juna june junho juni junio "
    "junius juny juuni kesa kesak kesakuu kesakuuta ιουν ιουνιος ιουνιου июн июнь июня черв червень червня юни",
    "cervence cervenec cvc heina heinak heinakuu heinakuuta iul iulie juil juill juillet jul jula julho juli julio "
    "juliol julius july juuli lip lipca lipiec lug luglio tem temmuz ιουλ ιουλιος ιουλιου июл июль июля лип "
    "липень липня юли",
    "ag ago agost agosto agu agust agustos aout aug august augusta augusti augustus augusztus elo elok elokuu elokuuta "
    "sie sierpien sierpnia srp srpen srpna αυγ αυγουστος αυγουστου авг август августа серп серпень серпня",
    "eyl eylul sep sept september septembra septembre septembrie septiembre set setembre setembro setiembre "
    "settembre syys syysk syyskuu syyskuuta szept szeptember wrz wrzesien wrzesnia zar zari σεπ σεπτεμβριος "
    "σεπτεμβριου вер вересень вересня сен сент сентябрь сентября сеп септември",
    "eki ekim loka lokak lokakuu lokakuuta oct october octobre octombrie octubre okt oktober oktobra oktoober ott "
    "ottobre out outubro paz pazdziernik pazdziernika rij rijen rijna οκτ οκτωβριος οκτωβριου жовт жовтень жовтня "
    "окт октомври октябрь октября",
    "kas kasim lis listopad listopada listopadu marras marrask marraskuu marraskuuta noiembrie nov november novembra "
    "novembre novembro noviembre νοε νοεμβριος νοεμβριου лист листопад листопада ное ноември нояб ноябрь ноября",
    "ara aralik dec december decembra decembre decembrie des desember desembre dets detsember dez dezember "
    "dezembro dic dicembre diciembre gru grudnia grudzien joulu jouluk joulukuu joulukuuta pro prosince prosinec δεκ "
    "δεκεμβριος δεκεμβριου груд грудень грудня дек декабрь декабря декември",
)
"""Names of months and their number."""
WEEKDAYS: Final = _numbered(
    "dilluns dl esmaspaev hetfo lu lun lundi lunedi lunes luni maanantai maanantaina maandag man mandag manudagur "
    "mo mon monday montag pazartesi po pon pondeli pondelok poniedziałek pzt seg segunda segunda-feira δε δευ δευτερα "
    "пн понеделник понедельник понеділок",
    "dienstag dimarts dinsdag dt kedd mar mardi martedi martes marti sal sali teisipaev ter terca terca-feira ti "
    "tiistai tiistaina tir tirs tirsdag tis tisdag ty tys tysdag tu tue tuesday ut utery utorok wt wto wtorek þr þri "
    "þriðjudagur τρ τρι τριτη вт вторник вівторок",
    "ca car carsamba dc dimecres ke keskiviikko keskiviikkona kolmapaev me mer mercoledi mercredi mi mie "
    "miercoles miercuri mittwoch mið miðvikudagur on ons onsdag qua quarta quarta-feira sr sro sroda streda sze szerda "
    "we wed wednesday wo woensdag τε τετ τεταρτη середа ср среда сряда",
    "cs csutortok ctvrtek czw czwartek dijous dj donderdag donnerstag fi fim fimmtudagur gio giovedi je jeu jeudi "
    "joi ju jue jueves neljapaev per persembe qui quinta quinta-feira stvrtok th thu thursday to tor tors torsdag "
    "torstai torstaina πε πεμ πεμπτη четвер четверг четвъртък чт",
    "cu cum cuma divendres dv fo fos fostudagur fr fre fredag freitag fri friday patek pentek perjantai "
    "perjantaina pi pia piatek piatok reede sex sexta sexta-feira ve ven vendredi venerdi vi vie viernes vin vineri vr "
    "vrijdag πα παρ παρασκευη п'ятниця петък пт пятница",
    "cmt cumartesi dissabte ds la lau lauantai lauantaina laugardagur laupaev laurdag lo lor lordag lø lør lørdag sab "
    "sabado sabato sam sambata samedi samstag sat saturday sob sobota szo szombat za zaterdag σα σαβ σαββατο сб "
    "суббота субота събота",
    "dg dim dimanche diumenge dom domenica domingo du dum duminica ne nedela nedele nie niedz niedziela paz pazar "
    "puhapaev son sondag sonntag su sun sunday sunnudagur sunnuntai sø søn søndag vasarnap zo zondag κυ κυρ "
    "κυριακη воскресенье вс нд неделя неділя",
)
"""Names of days and their number; Monday is 1."""

_ENGLISH: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS_BACK: Final = _numbered(
    "heute aujourd'hui hoy oggi hoje vandaag dzisiaj dzis сегодня сьогодні dnes bugun idag dag tanaan 오늘 本日",
    "gestern hier ayer ieri ontem gisteren wczoraj вчера вчора vcera dun igar gar gær eilen 어제 昨日",
    "vorgestern avant-hier anteayer anteontem eergisteren przedwczoraj позавчера позавчора predevcirem "
    "forgars 그제 一昨日",
)
_NAMED_DAYS: Final = ("today", "yesterday", "前天")
# What stands between day, month, year and time of day, and says nothing.
# These mean two days in two languages, so they are passed over.
DAYS_OF_TWO: Final = frozenset("ct di do ma pa pe pt sa so st".split())
_FILLERS: Final = frozenset(
    "de del of the le la el il den der dem am um a à las los les alle alla ore as às at uhr kl "
    "klo kello o godz w в "
    "r г года году р року рік о об om om u ve v saat dia día du i on den d publié publie posted published "
    "updated veröffentlicht".split()
)
_WORD: Final = lazy_pattern(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*\.?")
_ORDINAL: Final = lazy_pattern(r"(?<=\d)(?:er|ere|ère|re|e|º|ª|o|a|st|nd|rd|th|:e)(?![^\W_])", re.IGNORECASE)
_EASTERN_DAY: Final = lazy_pattern(
    r"^(?P<week>上|本|这|這)?(?:(?:星期|周|週|礼拜|禮拜)(?P<chinese>[一二三四五六日天])"
    r"|(?P<japanese>[月火水木金土日])曜日?|(?P<korean>[월화수목금토일])요일)"
)
_CHINESE, _JAPANESE, _KOREAN = "一二三四五六日天", "月火水木金土日", "월화수목금토일"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A date in English words, without its day of the week. ``weekday`` is that day; Monday is 0.

    ``weeks_back`` is 1 where the week before is meant.
    """

    text: str
    weekday: int | None = None
    weeks_back: int = 0


def translated(words: str) -> Translation:
    """Return a date with the names of its month and of days like ``gestern`` in English, without fillers."""
    if match := _EASTERN_DAY.match(words):
        number = (
            _CHINESE.find(match["chinese"] or "?")
            + _JAPANESE.find(match["japanese"] or "?")
            + _KOREAN.find(match["korean"] or "?")
            + 2
        )
        text = words[match.end() :].strip(" ,")
        return Translation(text=text, weekday=min(number, 6), weeks_back=int(match["week"] == "上"))
    names = [folded(word).rstrip(".") for word in _WORD.findall(words)]
    months = [name for name in names if name in MONTHS]
    surplus = len(months) - 1
    weekday: int | None = None
    pieces: list[str] = []
    at = 0
    for match, name in zip(_WORD.finditer(words), names, strict=True):
        pieces.append(words[at : match.start()])
        at = match.end()
        is_day = name in WEEKDAYS and (name not in MONTHS or surplus > 0)
        if is_day:
            surplus -= name in MONTHS
            weekday = WEEKDAYS[name] - 1 if weekday is None else weekday
            pieces.append(" ")
        else:
            pieces.append(_in_english(name, match[0]))
    text = _ORDINAL.sub("", "".join((*pieces, words[at:])))
    return Translation(text=" ".join(text.replace(" ,", " ").split()).strip(" ,-"), weekday=weekday)


def _in_english(name: str, written: str) -> str:
    if name in MONTHS:
        return f" {_ENGLISH[MONTHS[name] - 1]} "
    if name in _DAYS_BACK:
        return f" {_NAMED_DAYS[_DAYS_BACK[name] - 1]} "
    return " " if name in _FILLERS or name in DAYS_OF_TWO else written


_SECONDS: Final = (1, 60, 3_600, 86_400, 604_800, 2_592_000, 31_536_000)
_UNITS: Final = _numbered(
    "s sec secs second seconds sek sekunde sekunden seconde secondes seg segundo segundos secondo secondi seconden "
    "sekunda sekundy sekund sekunde sekundu sekunder sekuntia sekunti saniye сек секунд секунда секунды "
    "секунду секунди "
    "秒 秒钟 秒鐘 초",
    "m min mins minute minutes minuten minuto minutos minuti minuut minut minuta minuty minute minutami "
    "minuter minutter "
    "minuutti minuuttia dakika dk мин минут минута минуты минуту хв хвилин хвилина хвилини хвилину minutum "
    "分 分钟 分鐘 분",
    "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur uren u godz godzina "
    "godziny godzin godzine "
    "ч час часа часов годин година години годину hodina hodinou hodinami hodin hodiny saat sa tunti "
    "tuntia timme timmar "
    "time timer klukkustund klukkustundum 小时 小時 钟头 鐘頭 时 時 時間 시간",
    "d day days tag tage tagen j jour jours dia dias giorno giorni g dag dagen dager dage dagar dzien dni "
    "день дня днеи "
    "дні днів den dny dnem gun g paiva paivaa dogum 天 日 日間 일",
    "w wk wks week weeks woche wochen semaine semaines semana semanas settimana settimane weken tydzien "
    "tygodnie tygodni "
    "недел неделя недели неделю недель тиждень тижні тижня тижнів tyden tydny tydnem hafta viikko viikkoa "
    "vecka veckor uge "
    "uger uke uker vika vikum 周 週 周前 週間 星期 礼拜 禮拜 주 주일",
    "mo mon mth month months monat monate monaten mois mes meses mese mesi maand maanden miesiac miesiace miesiecy "
    "месяц месяца месяцев месяцы місяць місяці місяця місяців mesic mesici mesicem ay kuukausi kuukautta "
    "manad manader "
    "maned maneder manudi manudum 月 个月 個月 か月 カ月 ヶ月 ケ月 箇月 개월 달",
    "y yr yrs year years jahr jahre jahren an ans annee annees ano anos anno anni jaar jaren rok roku "
    "lata lat roky rokem "
    "год года лет рік роки років yil vuosi vuotta ar arum 年 年間 년",
)
_AFTER: Final = (
    r"(?:之前|以前|前|전|ago|fa|atras|geleden|temu|назад|тому(?: назад)?|sitten|sedan|siden|sidan|once|zpet|earlier)"
)
_BEFORE: Final = r"(?:vor|il y a|hace|ha|pred|for|fyrir)"
_AGO: Final = lazy_pattern(rf"^(?:{_BEFORE} (?P<spans>.+?)(?: {_AFTER})?|(?P<before>.+?) ?{_AFTER})$")
_ABOUT: Final = lazy_pattern(
    r"^(?:about|over|almost|nearly|around|approximately|circa|ca\.?|less than|more than|etwa|ungefahr|environ"
    r"|plus d[e ] ?|moins d[e ] ?|cerca de|около|більше|約|约|大约|大約|超过|不到|a (?=few|couple)) *"
)
_SPAN: Final = lazy_pattern(
    r"(?:(?P<count>\d{1,4}(?:[.,]5)?|[半几幾数數一二两兩三四五六七八九十]{1,3}|[^\W\d_]+(?= ))\s*)?"
    r"(?:of )?个?個?(?P<unit>[^\W\d_]+)\.?"
)
_ALONE: Final = frozenset(
    folded(word)
    for word in (
        "минуту час день неделю месяц год хвилину годину тиждень місяць рік minute godzine dzien tydzien miesiac rok "
        "minutou hodinou dnem tydnem mesicem rokem"
    ).split()
)
_NUMBERS: Final = _numbered(
    "一 one ein eine einer einem einen un une una uno um uma een en ett et eno jeden jedna jedne одну один одна bir "
    "egy yhden viime a an",
    "二 两 兩 two zwei deux dos due dois duas twee dwa dwie два две дві dva dve iki tva to kaksi couple paar",
    "三 three drei trois tres tre drie trzy три tri uc kolme few several wenigen einigen quelques unos algunos pochi "
    "alguns kilka несколько кілька par 几 幾 数 數",
    "四 four vier quatre cuatro quattro quatro cztery четыре чотири ctyri dort fyra fire nelja",
    "五 five funf cinq cinco cinque vijf piec пять п'ять pet bes fem viisi",
    "六 six sechs seis sei zes szesc шесть шість sest alti sex seks kuusi",
    "七 seven sieben sept siete sette sete zeven siedem семь сім sedm yedi sju syv seitseman",
    "八 eight acht huit ocho otto oito osiem восемь вісім osm sekiz atta otte kahdeksan",
    "九 nine neun neuf nueve nove negen dziewiec девять дев'ять devet dokuz nio ni yhdeksan",
    "十 ten zehn dix diez dieci dez tien dziesiec десять deset on tio ti kymmenen",
)
_BETWEEN: Final = lazy_pattern(r"(?:[\s,]|\b(?:and|und|et|y|e|i|и|og|och|ja|en|ve|零|又)\b)*")
_JUST_NOW: Final = frozenset(
    "刚刚,刚才,剛剛,剛才,たった今,방금,now,just now,moments ago,a moment ago,gerade eben,a l'instant,ahora mismo,"
    "agora mesmo,adesso,zojuist,przed chwila,только что,щоино,juuri askettain,az once".split(",")
)


def is_just_now(words: str) -> bool:
    """Tell whether the words say that something happened now."""
    return folded(words) in _JUST_NOW


def span_ago(words: str) -> timedelta | None:
    """Return how long ago ``3 hours ago``, ``vor 2 Tagen``, ``1小时10分前`` is; None for anything else."""
    match = _AGO.match(folded(words))
    if match is None:
        return None
    text = _ABOUT.sub("", (match["spans"] or match["before"]).replace("'", " "))
    seconds = 0.0
    at = 0
    while at < len(text):
        span = _SPAN.match(text, at)
        unit = _unit_of(span["unit"]) if span else None
        count = _count_of(span["count"], span["unit"]) if span else None
        if span is None or unit is None or count is None:
            return None
        seconds += count * unit
        following = _BETWEEN.match(text, span.end())
        at = following.end() if following else span.end()
    return timedelta(seconds=seconds) if text else None


def _unit_of(word: str) -> int | None:
    number = _UNITS.get(word) or _UNITS.get(f"个{word}")
    return _SECONDS[number - 1] if number else None


def _count_of(word: str | None, unit: str) -> float | None:
    """Return how many are meant; a unit alone in the singular is one, "a few" are three."""
    if word is None:
        return 1.0 if unit in _ALONE else None
    if word[0].isdigit():
        return float(word.replace(",", "."))
    if word == "半":
        return 0.5
    tens, ten, ones = word.partition("十")
    if ten and len(word) > 1:  # 十二, 二十
        return 10.0 * _NUMBERS.get(tens, 1) + _NUMBERS.get(ones, 0)
    return _NUMBERS.get(word)
