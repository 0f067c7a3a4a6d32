"""tiny_model.py FOLDER: a Llama of random weights (7 million) with a tokenizer trained on this machine's licenses. The text means nothing; the servers that load
it are real. Needs torch and transformers."""
import glob
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

folder = sys.argv[1]
SPECIAL = ["<s>", "</s>", "<|turn|>", "<|end|>"]
TEMPLATE = "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"

words = Tokenizer(models.BPE())
words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
words.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
words.train(sorted(glob.glob("/usr/share/common-licenses/*")), trainers.BpeTrainer(vocab_size=8192, special_tokens=SPECIAL, initial_alphabet=alphabet))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="</s>")
tokenizer.chat_template = TEMPLATE
tokenizer.save_pretrained(folder)

torch.manual_seed(7)
shape = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64}
config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=4096, bos_token_id=0, eos_token_id=1, pad_token_id=1, **shape)
LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
