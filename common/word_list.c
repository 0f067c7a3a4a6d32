#include "common/word_list.h"

const char WORD_LIST[WORD_LIST_N * WORD_LIST_CHARS + 1] =
    /* clang-format off */
    "the and for are but not you all any can had her was one our out day get has him his how man new now old "
    "see two way who boy did its let put say she too use act add age ago aid aim air ant arm art ask bad bag "
    "bar bat bay bed bee beg bet big bit box bus buy cap car cat cow cry cup cut dad dam den dig dim dog dot "
    "dry due ear eat egg end era eye fan far fat fed few fig fit fix fly fog fox fun fur gap gas gem gun gut "
    "guy hat hay hen hid hip hit hot hub hug hut ice ill ink inn jam jar jaw jet job joy key kid kit lab lap "
    "law lay leg lid lie lip lit log lot low mad map mat may mix mob mud mug nap net nod nor nut oak odd off "
    "oil own pad pan pat paw pay pen per pet pie pig pin pit pop pot pro rag ram ran rat raw ray red rib rid "
    "rip rod row rub rug run sad sat saw sea set sew sin sip sit six sky sly son spy sum sun tab tag tan tap "
    "tax tea ten tie tin tip toe ton top toy try tub van vet via vow war wax web wet why win wit won yes yet "
    "zip zoo ash axe ban bow bug bun cab cop cue dip ego elm fee fin gum ham ivy jog keg lag ";
/* clang-format on */
