"""English words that are names, too: in small letters they say nothing about a person.

Words of faker's name lists that stand in small letters in running text (doctors' notes, reviews and
text messages), with the names of things, days, trades and colours.
"""

from __future__ import annotations

COMMON_WORDS = frozenset(
    (
        "ab abbot abou add age ah al alas among an and andor angel apple arch are art arts as "
        "asia asks at august aura autumn babe baby back bak baker ball banks bar bare baron basic "
        "basil bass bath be bea beach bean beat bee beer begin bell bent berry best beta bette "
        "better bill bills bird bite black blessing bliss block blue bo bond bones boston bot bou "
        "boy bra brain branch brand brands brea brick bridge bright brook brooks bros brother "
        "brown buck bud buddy bull bus bush but butcher by cal cam can canal candy cant cap car "
        "cares carrier carry case cash castle champ chance charity chase che cherry child "
        "children china christmas church city clas clay clear close coal cock colon come comfort "
        "comment company con constable constant convey cook cools coral cord county cousin "
        "cousins crane cross cruise dare dark darling date daughter dawn day days de deep den "
        "desire diamond die din dis divine do doc doctor doe doll don dot dow downs drake drop "
        "duke dusty each earl early east easter el else emerald ever fair faith fall fancy farmer "
        "father fee field fields finch fish fit flo floor florida flowers fo foot for ford forest "
        "forget fox fresh friday friend from fron front funk gala gall gamble game garden gas "
        "gates gauge gay gene general ginger girl glass glasses go gold golden good gorge grab "
        "grace grand gray green greet grey gross guard gun guy ha had hai hall hand harm hart has "
        "have haven hay he heaven heck held hell hella hence her hide hill hills him his ho hogg "
        "holly hood hook hope house how hug hung hunt hurt husband i ide if imo in iris irl iron "
        "is it its ivory ivy jewel job joke journey judge junk just justice key kick kid kidney "
        "killer kind king kiss kitchen knight lace lady lake lamb lane lar lavender law le leaf "
        "lean len less li lie lies light like line lini link lips list little lo loan lon long "
        "loo loos lot love low lower loyal lucky macho mad made magic mail major mak make male "
        "mall man many marsh marshal mat mate mater math may me meadow media men miles minor mint "
        "miracle moan monday money moody moon more moss most mother mountain muc much must my "
        "nail nee new no noble north not now nurse nyc odd of off old olive on one only or oral "
        "orange orchard our out ove over own page pages pai palm pant pap par parent park parson "
        "parts pat patient peace peach pearl penny pepper per pers petit pets pi pike pink pla "
        "pleasant plum pole pond pool pop pope poppy post power precious press price priest "
        "prince princess prior put queen race rain ran ray rea read real reason red reed reese "
        "regula reta rice rich richer right ring river road rock rocks rode roll room rooms root "
        "rose royal rules run runny rush rust rusty sa sad sage sai said sal sales salmon sand "
        "sandy savage sea sec see sen sergeant seven sha shade sharp she shepherd shine shore "
        "short sid side silk silver sim sing sister skip sky smal small smart snow so som some "
        "son soo soon south speed spring star steel stock stone story street strong such suits "
        "summer summers sunday sunny sunshine supple sur sura swan tad tailor tal tan tank tea "
        "tegan temple texas than that the their them then there theres these they thi this those "
        "ties til till tim time tiny to tomo tone too tore town toy treasure tri tru true truth "
        "tu two ty und under uni unique unknown up us velvet ver very village violet virtue wall "
        "walls warmer was wash water waters way we weaver week wel well wells were west what when "
        "where which while white who why wife will winter wise wit with wolf woman women wood "
        "woods worth would yan yes yet yoga you young your yr zero "
    ).split()
)
"""In small letters, without accents."""
